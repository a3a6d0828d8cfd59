//! What a shell remembers, and how it runs statements.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::anyhow;

use super::words::gather;
use crate::cli::amounts::counted;
use crate::cli::args::{RemoteOptions, ReplArguments};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::interrupt::{Interrupts, wait_at_most};
use crate::cli::pager::Pager;
use crate::cli::query::{Answer, STACK};
use crate::cli::shown::Shown;
use crate::cli::target::Screen;
use crate::cli::{query, remote};
use crate::repl::SharedWords;
use spanql_engine::{Engine, EngineError, Files, Params, parse_param};
use spanql_filter::{Names, Unknown, arize};
use spanql_output::{Format, escape_terminal};
use spanql_store::Snapshot;

/// How long a statement that was cancelled may take to stop before the prompt comes back without it.
const GRACE: Duration = Duration::from_millis(500);

/// How often is looked whether the pager of a result was left, and how often it must be found so before the work is stopped.
const LOOK: Duration = Duration::from_millis(250);
const LOOKS: u32 = 4;

/// A shell.
pub(super) struct Session {
    /// The settings of the command line, and those that were changed since.
    pub(super) context: Context,
    pub(super) params: Params,
    pub(super) last: Option<String>,
    pub(super) filter: Option<String>,
    pub(super) interactive: bool,
    interrupts: Interrupts,
    /// How many files are being carried out, one named by the other.
    pub(super) depth: usize,
    pager: Pager,
    remote: Arc<RemoteOptions>,
    opened: Option<Arc<Opened>>,
    words: SharedWords,
    /// The project that words are gathered of, the task that does it, and the version of the store it found.
    gathered: Option<(Option<String>, tokio::task::JoinHandle<()>, Arc<AtomicU64>)>,
}

/// An engine over a version of the store.
pub(super) struct Opened {
    pub(super) engine: Engine,
    pub(super) snapshot: Snapshot,
}

impl Session {
    pub(super) fn new(
        context: &Context,
        arguments: &ReplArguments,
        interactive: bool,
        interrupts: Interrupts,
    ) -> anyhow::Result<Self> {
        let params = arguments.param.iter().map(|text| parse_param(text)).collect::<Result<Params, EngineError>>();
        let params = params.map_err(|error| Failure::Usage(error.to_string()))?;
        let pager = Pager::default();
        let on_screen = interactive && std::io::IsTerminal::is_terminal(&std::io::stdout());
        let screen = Screen {
            format: context.target(None)?.format,
            expanded: false,
            timing: on_screen,
            file: None,
            pager: on_screen.then(|| pager.clone()),
            shown: Shown::default(),
        };
        let mut context = context.clone();
        context.screen = Some(screen);
        Ok(Self {
            context,
            params,
            last: None,
            filter: None,
            interactive,
            interrupts,
            depth: 0,
            pager,
            remote: Arc::new(arguments.remote.clone()),
            opened: None,
            words: SharedWords::default(),
            gathered: None,
        })
    }

    pub(super) fn context(&self) -> &Context {
        &self.context
    }

    pub(super) fn words(&self) -> SharedWords {
        self.words.clone()
    }

    /// The project and the filter that tables are narrowed to.
    pub(super) fn narrowed(&self) -> (Option<&str>, Option<&str>) {
        (self.context.project.as_deref(), self.filter.as_deref())
    }

    /// How results are shown.
    pub(super) fn screen(&mut self) -> &mut Screen {
        let pager = self.pager.clone();
        self.context.screen.get_or_insert_with(|| Screen {
            format: Format::Table,
            expanded: false,
            timing: true,
            file: None,
            pager: Some(pager),
            shown: Shown::default(),
        })
    }

    /// Says where one is.
    pub(super) async fn greet(&self) -> anyhow::Result<()> {
        if self.context.quiet {
            return Ok(());
        }
        let (_, snapshot) = self.unless_interrupted(self.context.snapshot()).await?;
        let segments = &snapshot.manifest.segments;
        let spans: u64 = segments.iter().map(|segment| segment.rows).sum();
        let mut projects: Vec<&str> = segments.iter().map(|segment| segment.project.as_str()).collect();
        projects.dedup();
        projects.sort_unstable();
        projects.dedup();
        let place = escape_terminal(self.context.place());
        let holds = format!("{} in {}", counted(spans, "span"), counted(projects.len() as u64, "project"));
        self.context
            .print_stderr(&format!("spanql {} · {place}: {holds} · \\? lists commands", env!("CARGO_PKG_VERSION")));
        self.context.note_state(&snapshot);
        Ok(())
    }

    /// Gathers what completion knows, aside, if the store or the project are others than the last time.
    pub(super) fn refresh_words(&mut self) {
        let variables: Vec<String> = self.params.keys().cloned().collect();
        let mut words = (*self.words.get()).clone();
        words.variables.clone_from(&variables);
        self.words.set(words);
        let known = self.opened.as_ref().map(|opened| opened.snapshot.manifest.version);
        if let Some((project, task, version)) = &self.gathered {
            let is_old = task.is_finished() && known.is_some_and(|known| known != version.load(Ordering::SeqCst));
            if *project == self.context.project && !is_old {
                return;
            }
            task.abort();
        }
        let (shared, context, version) = (self.words.clone(), self.context.clone(), Arc::new(AtomicU64::new(u64::MAX)));
        let found = Arc::clone(&version);
        let task = tokio::spawn(async move {
            // Without a store that can be read there is nothing to complete, and statements will say why.
            if let Ok((of_version, mut words)) = gather(&context).await {
                words.variables = variables;
                shared.set(words);
                found.store(of_version, Ordering::SeqCst);
            }
        });
        self.gathered = Some((self.context.project.clone(), task, version));
    }

    /// Forgets the engine: the next statement opens one with the settings as they are.
    pub(super) fn reopen(&mut self) {
        self.opened = None;
    }

    /// The engine over the newest version of the store.
    pub(super) async fn opened(&mut self) -> anyhow::Result<Arc<Opened>> {
        if let Some(opened) = &self.opened {
            let (_, newest) = self.unless_interrupted(self.context.snapshot()).await?;
            if opened.snapshot.manifest.version == newest.manifest.version {
                return Ok(Arc::clone(opened));
            }
        }
        let opened = Arc::new(self.unless_interrupted(self.open(self.filter.as_deref())).await?);
        self.opened = Some(Arc::clone(&opened));
        Ok(opened)
    }

    /// Narrows the tables to what a filter lets through, or to nothing less than everything; a wrong one changes nothing.
    pub(super) async fn narrow(&mut self, filter: Option<String>) -> anyhow::Result<()> {
        let opened = self.unless_interrupted(self.open(filter.as_deref())).await?;
        (self.opened, self.filter) = (Some(Arc::new(opened)), filter);
        Ok(())
    }

    /// An engine over the newest version of the store, its tables narrowed.
    async fn open(&self, filter: Option<&str>) -> anyhow::Result<Opened> {
        let (engine, snapshot) = query::engine(&self.context, false).await?;
        engine.read_files(Files::Any);
        remote::register(&engine, &self.remote);
        if let Some(filter) = filter {
            let (schema, rest) = engine.span_columns("spans").await?;
            let names = Names::new(&schema, &rest, Unknown::Error).until(engine.data_end());
            let filter = arize::parse(filter, &names).map_err(Failure::Filter)?;
            engine.narrow(filter.expr).await?;
        }
        Ok(Opened { engine, snapshot })
    }

    /// Ctrl-C from now on.
    pub(super) fn interrupts(&self) -> Interrupts {
        self.interrupts.clone()
    }

    /// Waits for something that Ctrl-C ends.
    pub(super) async fn unless_interrupted<T>(
        &self,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        let mut interrupts = self.interrupts();
        tokio::select! {
            outcome = work => outcome,
            () = interrupts.pressed() => Err(Failure::Interrupted.into()),
        }
    }

    /// Forgets what was pressed before: it was not meant for what comes now.
    pub(super) fn listen_anew(&mut self) {
        self.interrupts = self.interrupts.since_now();
    }

    /// Runs statements and shows their results.
    pub(super) async fn statement(&mut self, sql: &str) -> anyhow::Result<()> {
        let opened = self.opened().await?;
        let (context, sql, params) = (self.context.clone(), sql.to_owned(), self.params.clone());
        self.job(move || async move {
            let prepared = opened.engine.prepare(&sql, &params).await?;
            let target = context.target(None)?;
            let answer = Answer {
                prepared: &prepared,
                snapshot: &opened.snapshot,
                target: &target,
                options: context.options(&target),
                require_complete: false,
                strict: false,
                expectations: &[],
            };
            query::answer(&context, answer).await
        })
        .await
    }

    /// Stops what runs, and shows nothing more of it.
    fn stop(&self) {
        self.pager.cancel();
        if let Some(opened) = &self.opened {
            opened.engine.stop();
        }
    }

    /// Does work that Ctrl-C ends, on a thread of its own: what is busy cannot keep the prompt from coming back.
    ///
    /// # Errors
    /// [`Failure::Interrupted`] when it was cancelled; whatever the work says.
    pub(super) async fn job<F, W>(&self, work: W) -> anyhow::Result<()>
    where
        W: FnOnce() -> F + Send + 'static,
        F: Future<Output = anyhow::Result<()>>,
    {
        self.pager.renew();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let (done, mut is_done) = tokio::sync::oneshot::channel();
        let runtime = tokio::runtime::Handle::current();
        let run = move || {
            let outcome = runtime.block_on(async {
                tokio::select! {
                    outcome = work() => outcome,
                    Ok(()) = stopped => Err(Failure::Interrupted.into()),
                }
            });
            // Nobody waits any more when it was cancelled long ago.
            drop(done.send(outcome));
        };
        std::thread::Builder::new().name("spanql-shell".to_owned()).stack_size(STACK).spawn(run)?;
        let mut stop = Some(stop);
        let mut interrupts = self.interrupts();
        let mut looks = tokio::time::interval(LOOK);
        let mut left = 0;
        loop {
            tokio::select! {
                outcome = &mut is_done => {
                    let outcome = outcome.unwrap_or_else(|_| Err(anyhow!("the statement ended unexpectedly")));
                    return match outcome {
                        // A pager that was left has shown enough.
                        Err(error) if self.interactive && crate::cli::exit::is_closed_pipe(&error) => Ok(()),
                        outcome => outcome,
                    };
                }
                // Work whose pager was left is not looked at any more; what is nearly done may end by itself.
                _ = looks.tick() => {
                    left += u32::from(self.pager.was_left());
                    if left < LOOKS {
                        continue;
                    }
                    self.stop();
                    if let Some(stop) = stop.take() {
                        stop.send(()).unwrap_or_default();
                    }
                    wait_at_most(GRACE, &mut is_done).await;
                    return Ok(());
                }
                () = interrupts.pressed() => {
                    // While a pager has the keyboard, Ctrl-C is meant for it.
                    if self.pager.is_shown() {
                        continue;
                    }
                    self.stop();
                    if let Some(stop) = stop.take() {
                        // Work that has just ended needs no stop.
                        stop.send(()).unwrap_or_default();
                    }
                    wait_at_most(GRACE, &mut is_done).await;
                    return Err(Failure::Interrupted.into());
                }
            }
        }
    }
}
