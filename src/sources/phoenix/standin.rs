//! A small HTTP server on this machine that answers as a test wants it.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use url::Url;

/// A request that came.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// As it was sent, without the query.
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    /// Names in lower case.
    pub(super) headers: Vec<(String, String)>,
}

impl Asked {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.query.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        self.query.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    }
}

/// What is answered.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    Json(String),
    /// A status and a text.
    Text(u16, String),
    /// A status, further headers and a text.
    With(u16, &'static str, String),
    /// The page of the user interface, as for all paths that are none.
    Html,
    /// Half of the answer, and then nothing more.
    Half(String),
    /// Nothing: the connection ends.
    Close,
    /// Nothing: the connection stays.
    Silence,
}

#[derive(Debug)]
pub(super) struct StandIn {
    pub(super) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl StandIn {
    /// Answers each request; the number tells how many came before it.
    pub(super) fn new(answer: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (answer, seen) = (Arc::new(answer), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
                std::thread::spawn(move || serve(stream, &*answer, &seen));
            }
        });
        Self { url, asked }
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, answer: &dyn Fn(&Asked, usize) -> Reply, seen: &Mutex<Vec<Asked>>) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines().map_while(Result::ok);
    let first = lines.next()?;
    let target = first.split(' ').nth(1)?.to_owned();
    let headers = lines.take_while(|line| !line.is_empty()).filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_lowercase(), value.trim().to_owned()))
    });
    let headers = headers.collect();
    let url = Url::parse(&format!("http://x{target}")).ok()?;
    let query = url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    let asked = Asked { path: target.split('?').next()?.to_owned(), query, headers };
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push(asked.clone());
        seen.len() - 1
    };
    let mut write = |status: u16, more: &str, kind: &str, body: &str, length: usize| {
        let head = format!(
            "HTTP/1.1 {status} Said\r\ncontent-type: {kind}\r\n{more}content-length: {length}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).ok()
    };
    match answer(&asked, number) {
        Reply::Json(body) => write(200, "", "application/json", &body, body.len()),
        Reply::Text(status, body) => write(status, "", "text/plain; charset=utf-8", &body, body.len()),
        Reply::With(status, more, body) => write(status, more, "application/json", &body, body.len()),
        Reply::Html => write(200, "", "text/html; charset=utf-8", "<html>", 6),
        Reply::Half(body) => write(200, "", "application/json", &body[..body.len() / 2], body.len()),
        Reply::Close => Some(()),
        Reply::Silence => {
            std::thread::sleep(Duration::from_secs(30));
            Some(())
        }
    }
}
