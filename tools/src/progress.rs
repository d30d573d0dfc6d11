//! How far long work is: on a terminal only, and never where one JSON object is due.

use std::{
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use uncross_server::journal::{Reached, Reader};

use crate::output::Output;

/// Time between two looks at the work.
const TICK: Duration = Duration::from_millis(100);

/// A bar that `template` describes; one that is never seen where nobody watches.
pub(crate) fn bar(output: &Output, template: &str) -> ProgressBar {
    if !output.is_watched() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    // A template that cannot be read would leave the usual bar.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// Does `work`, which reads by `reader` up to the record `until` or the last one, beside a bar.
/// Work that reads twice fills it twice.
pub(crate) fn beside<T>(
    output: &Output,
    reader: &Reader,
    until: Option<u64>,
    work: impl FnOnce() -> T,
) -> T {
    let bar = over_records(output, reader, until);
    while_read(&bar, reader, work)
}

/// A bar over the records that `reader` has, up to the record `until` or the last one.
pub(crate) fn over_records(output: &Output, reader: &Reader, until: Option<u64>) -> ProgressBar {
    let bar = bar(output, "{wide_bar} {human_pos}/{human_len} records, {per_sec}");
    if !bar.is_hidden() {
        // What cannot be read the work will meet, and tell.
        let last = || reader.last().ok().flatten().map(|(seq, _)| seq);
        bar.set_length(until.or_else(last).unwrap_or(0));
    }
    bar
}

/// Does `work`, which reads by `reader`, while the bar follows it; then the bar is gone.
pub(crate) fn while_read<T>(bar: &ProgressBar, reader: &Reader, work: impl FnOnce() -> T) -> T {
    if bar.is_hidden() {
        return work();
    }
    let result = watched(bar, &reader.reached(), work);
    bar.finish_and_clear();
    result
}

/// Moves the bar along until the work is done.
fn watched<T>(bar: &ProgressBar, reached: &Reached, work: impl FnOnce() -> T) -> T {
    let (working, ended) = channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            bar.tick();
            while ended.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                bar.set_position(reached.seq());
            }
        });
        let result = work();
        drop(working);
        result
    })
}
