//! `spanql demo`: generated spans in a store, and a few questions to them.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use indicatif::HumanCount;

use super::args::DemoArguments;
use super::context::Context;
use super::exit::Failure;
use super::{import, query};
use crate::engine::Params;
use crate::sources::demo::Generator;
use crate::store::Store;

/// Columns of the demo's tables where there is no terminal.
const PIPE_WIDTH: usize = 120;

/// What the demo asks: a heading and a query.
const QUESTIONS: [(&str, &str); 3] = [
    ("Which models fail, how often, and what do they cost?", include_str!("../../queries/models.sql")),
    ("Which traces took longest?", include_str!("../../queries/slowest-traces.sql")),
    ("Which sessions cost most?", include_str!("../../queries/costly-sessions.sql")),
];

pub(super) async fn run(context: &Context, arguments: DemoArguments) -> anyhow::Result<()> {
    // Removed when it goes out of scope.
    let temporary =
        tempfile::Builder::new().prefix("spanql-demo").tempdir().context("cannot make a temporary directory")?;
    let place: PathBuf = arguments.keep.clone().unwrap_or_else(|| temporary.path().join("store"));
    let context = context.with_place(&place);
    let store = Store::open(&place.display().to_string())?;
    if store.snapshot().await?.manifest.version > 0 {
        let place = place.display();
        return Err(Failure::Usage(format!("--keep {place}: there is a store already; name a new directory")).into());
    }
    fill(&context, &store, arguments.spans, arguments.seed).await?;
    ask(&context).await?;
    if arguments.keep.is_some() {
        say_next(&context, &place);
    } else {
        context.report("\nThe store is removed now; `spanql demo --keep DIR` keeps it for your own questions.");
    }
    Ok(())
}

async fn fill(context: &Context, store: &Store, spans: u64, seed: u64) -> anyhow::Result<()> {
    let began = Instant::now();
    let bar = context.progress("generating {pos}/{len} spans [{bar:30}]")?;
    bar.set_length(spans);
    let import = store.begin();
    let work = {
        let bar = bar.clone();
        move || {
            import::feed(import, |send| {
                Generator::new(seed, spans).try_for_each(|batch| {
                    bar.inc(batch.num_rows() as u64);
                    send(batch)
                })
            })
        }
    };
    let (import, ()) = tokio::task::spawn_blocking(work).await.context("generating stopped")??;
    bar.finish_and_clear();
    let committed = import::commit(context, store, import, "demo").await?;
    let (seconds, place) = (began.elapsed().as_secs_f64(), context.place());
    context.report(&format!("{} spans in {seconds:.1} s, kept in {place}", HumanCount(committed.counts.new)));
    Ok(())
}

async fn ask(context: &Context) -> anyhow::Result<()> {
    let (engine, _) = query::engine(context).await?;
    let target = context.target(Some("table"))?;
    let mut options = context.options(&target);
    options.width.get_or_insert(PIPE_WIDTH);
    for (heading, sql) in QUESTIONS {
        context.report(&format!("\n{heading}\n\n{}\n", statement(sql)));
        for prepared in engine.prepare(sql, &Params::new()).await? {
            query::show(context, &prepared, &target, options).await?;
        }
    }
    Ok(())
}

/// A query without its header of comments.
fn statement(sql: &str) -> String {
    sql.lines().skip_while(|line| line.starts_with("--")).collect::<Vec<_>>().join("\n").trim().to_owned()
}

fn say_next(context: &Context, place: &Path) {
    let place = place.display();
    context.report(&format!(
        "\nTry next:\n  spanql --store {place} query \"SELECT name, count(*) FROM spans GROUP BY name\"\n  \
         spanql --store {place} query \"SELECT * FROM columns\"\n  spanql --store {place} store info"
    ));
}
