//! What a pull tells whoever makes it through the library.

use spanql::pull::{CountPrecision, PullCount, PullError, PullEvent, Puller, count};
use spanql::sources::SourceError;
use tokio::sync::Notify;

use super::pull_rogue::{Answer, Call, End, Play, Rogue};
use super::pull_support::{self, empty, free_port, rows, seconds, wire};

const SPANS: usize = 60;

/// Who pulls from a port, twenty spans at a time.
fn puller(port: u16) -> Puller {
    let pull_support::Puller { source, options } = pull_support::Puller::of_port(port).sliced(20, 1);
    Puller { store: empty(), source, options }
}

/// A span a minute for an hour; of the last third, streams may break.
fn script(breaks: bool) -> impl Fn(&Call) -> Answer + Send + Sync + 'static {
    let batch = wire(&rows(SPANS, 60));
    move |call| {
        let play = Play::of(&call.spans_of(&batch));
        let broken = breaks && call.window().start >= seconds(2_400, 3_600).start;
        Answer::Play(if broken { play.ending(End::Status(tonic::Status::internal("lost"))) } else { play })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_tells_how_far_it_is_and_what_it_did() {
    let rogue = Rogue::start(script(true)).await;
    let (puller, hour) = (puller(rogue.port), seconds(0, 3_600));
    let counted = count(puller.source.as_ref(), &puller.options, hour).await.unwrap();
    assert_eq!(counted, Some(PullCount { spans: 60, precision: CountPrecision::Exact }));

    let mut told = Vec::new();
    puller.pull_window(hour, |event| told.push(event)).await.unwrap_err();
    let [PullEvent::Started { window, progress }] = &told[..] else { panic!("{told:?}") };
    assert_eq!((*window, progress.landed()), (hour, 2));

    rogue.set(script(false));
    let mut told = Vec::new();
    let summary = puller.pull_window(hour, |event| told.push(event)).await.unwrap();
    let [
        PullEvent::Resuming { landed, .. },
        PullEvent::Started { progress, .. },
        PullEvent::Done { window, summary: said, .. },
    ] = &told[..]
    else {
        panic!("{told:?}")
    };
    assert_eq!((*landed, progress.rows(), *window), (2, 20, hour));
    assert_eq!((said, summary.new), (&summary, 20));
}

#[tokio::test(flavor = "multi_thread")]
async fn following_waits_out_an_outage_and_ends_with_what_does_not_pass() {
    let (unreachable, waits) = (puller(free_port()), Notify::new());
    let tell = |event: PullEvent| {
        if let PullEvent::Retrying { error } = event {
            assert!(error.is_outage(), "{error}");
            waits.notify_one();
        }
    };
    tokio::select! {
        error = unreachable.follow(tell) => panic!("{error}"),
        () = waits.notified() => {}
    }

    let rogue = Rogue::start(|_| Answer::Status(tonic::Status::not_found("no such project"))).await;
    let error = puller(rogue.port).follow(drop).await;
    assert!(matches!(error, PullError::Source(SourceError::NotFound { .. })), "{error:?}");
}
