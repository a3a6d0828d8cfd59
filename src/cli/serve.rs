//! `spanql serve`: the store as a server for clients of Arize and exporters of OpenTelemetry.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use super::args::ServeArguments;
use super::context::Context;
use super::failure::Failure;
use super::incomplete;
use super::target::stdout;
use crate::serve::{Log, Ready, ServeError, Server, Settings, TlsFiles};
use spanql_output::escape_terminal;
use spanql_sources::config::{Environment, Redaction, price_file};
use spanql_sources::prices::PriceFile;

/// Time from the request to end until the process has ended.
#[cfg(unix)]
const MOST_GRACE: Duration = Duration::from_millis(1_800);

pub(super) async fn run(context: &Context, arguments: ServeArguments) -> anyhow::Result<()> {
    let store = context.store_to_serve()?;
    let snapshot = store.snapshot().await.map_err(|error| context.explain(error))?;
    let has_key = arguments.token.is_some() || arguments.write_token.is_some();
    let cert = arguments.tls_cert.clone();
    let environment = Environment::of_process();
    let settings = Settings {
        host: arguments.host,
        flight_port: arguments.flight_port,
        http_port: arguments.http_port,
        token: arguments.token,
        write_token: arguments.write_token,
        otlp: arguments.otlp,
        tls: arguments.tls_cert.zip(arguments.tls_key).map(|(cert, key)| TlsFiles { cert, key }),
        project: context.project.clone(),
        memory_limit: Some(context.memory_bytes()),
        statement_timeout: Duration::from_secs(arguments.statement_timeout),
        prices: price_file(&environment)?.map(|(path, _)| Arc::new(PriceFile::new(path))),
        redaction: Some(Arc::new(Redaction::new(environment))),
        log: context.verbose.then(|| logger(context)),
        ..Settings::default()
    };
    // Before the ready line, so that whoever reads it may end the server from then on.
    let terminated = terminated()?;
    let bound = Server::bind(Arc::new(store), settings).await.map_err(|error| match error {
        ServeError::Unprotected { host } => {
            let fix = "give --token or SPANQL_SERVE_TOKEN, or listen on 127.0.0.1";
            Failure::Usage(format!("--host {host}: other machines can connect, and there is no token: {fix}")).into()
        }
        ServeError::Store(error) => context.explain(error),
        error => anyhow::Error::new(error),
    })?;
    incomplete::check(context, &snapshot, false).await?;
    context.note_outdated(&snapshot);
    if bound.ready().projects.is_empty() {
        match &context.project {
            Some(project) => context.note(&format!("the store holds no project {}", escape_terminal(project))),
            None => context.note_empty(),
        }
    }
    let line = ascii(&serde_json::to_string(bound.ready()).context("the ready line does not encode")?);
    let mut out = stdout()?.lock();
    writeln!(out, "{line}").and_then(|()| out.flush())?;
    drop(out);
    note_clients(context, bound.ready(), has_key, cert.as_deref());
    if let Some(otlp) = &bound.ready().otlp {
        note_exporters(context, &otlp.http, has_key);
    }
    Ok(bound.run(terminated).await?)
}

/// Says what to set so that clients of Arize ask here, and what other copies of spanql need.
fn note_clients(context: &Context, ready: &Ready, has_key: bool, cert: Option<&Path>) {
    let host = ready.flight.split_once("://").map_or("", |(_, rest)| rest);
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    let (flight, api) = if cert.is_some() { ("grpc+tls", "https") } else { ("grpc+tcp", "http") };
    let mut lines = vec![
        format!("ARIZE_FLIGHT_HOST={host}"),
        format!("ARIZE_FLIGHT_PORT={}", ready.flight_port),
        format!("ARIZE_FLIGHT_SCHEME={flight}"),
        format!("ARIZE_API_HOST={host}"),
        format!("ARIZE_API_PORT={}", ready.http_port),
        format!("ARIZE_API_SCHEME={api}"),
        format!("ARIZE_API_KEY={}", if has_key { "<the token>" } else { "any" }),
    ];
    lines.extend(cert.map(|cert| format!("ARIZE_SSL_CA_CERT={}", cert.display())));
    say_variables(context, "in the environment of Arize's clients (SDK, ax):", &lines);
    context.note(&escape_terminal(&format!("for another spanql: pull arize PROJECT --endpoint {}", ready.flight)));
}

/// Says what to set in an application so that its exporter sends here.
fn note_exporters(context: &Context, address: &str, has_key: bool) {
    let mut lines =
        vec![format!("OTEL_EXPORTER_OTLP_ENDPOINT={address}"), "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf".to_owned()];
    if has_key {
        // Blanks of values are written so there.
        lines.push("OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20<the token that may write>".to_owned());
    }
    say_variables(context, "in the application's environment, for its exporter:", &lines);
}

fn say_variables(context: &Context, what: &str, lines: &[String]) {
    context.note(what);
    if !context.quiet {
        let print_stderr = context.stderr_writer();
        lines.iter().for_each(|line| print_stderr(&format!("  {}", escape_terminal(line))));
    }
}

/// Writes a line for each request to stderr.
fn logger(context: &Context) -> Log {
    let print_stderr = context.stderr_writer();
    Arc::new(move |line| print_stderr(&escape_terminal(line)))
}

/// JSON with every character beyond ASCII escaped: a terminal shows project names, and those are by strangers.
fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() && c != '\x7f' {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

/// Resolves when the process is asked to end. That is heard on a thread of its own, which ends the process a while later
/// whatever else it is doing.
#[cfg(unix)]
fn terminated() -> std::io::Result<impl Future<Output = ()> + Send> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let mut terminate = {
        let _entered = runtime.enter();
        signal(SignalKind::terminate())?
    };
    let (tell, told) = tokio::sync::oneshot::channel();
    let listen = move || {
        if runtime.block_on(terminate.recv()).is_some() {
            // The server may have ended by itself.
            let _ = tell.send(());
            std::thread::sleep(MOST_GRACE);
            std::process::exit(0);
        }
    };
    std::thread::Builder::new().name("spanql-terminate".to_owned()).spawn(listen)?;
    Ok(async move {
        if told.await.is_err() {
            // Nobody listens any more.
            std::future::pending::<()>().await;
        }
    })
}

#[cfg(not(unix))]
fn terminated() -> std::io::Result<impl Future<Output = ()> + Send> {
    Ok(std::future::pending())
}

#[cfg(test)]
mod tests {
    use super::ascii;

    #[test]
    fn the_ready_line_is_plain_and_says_the_same() {
        let json = serde_json::to_string("ä\u{202e}😀\u{7f}\n\"x").unwrap();
        let plain = ascii(&json);
        assert!(plain.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{plain}");
        assert_eq!(serde_json::from_str::<String>(&plain).unwrap(), "ä\u{202e}😀\u{7f}\n\"x");
    }
}
