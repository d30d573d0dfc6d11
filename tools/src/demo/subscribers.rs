//! Subscribers of the market data, so that some is sent while the brokers trade.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use uncross_client::{ConnectOptions, Error, FeedReader};

/// Between two looks: they read in large pieces and leave the processor to the brokers.
const NAP: Duration = Duration::from_millis(5);

/// Connects `count` subscribers and reads with all of them, on this thread, until `is_over`.
///
/// # Errors
///
/// A subscriber could not connect, or not again after it was cut.
pub(crate) fn read_along(
    options: &ConnectOptions,
    count: u32,
    is_over: &AtomicBool,
) -> Result<(), Error> {
    let connect = |_| FeedReader::connect(options);
    let mut readers = (0..count).map(connect).collect::<Result<Vec<_>, _>>()?;
    // Relaxed: the flag carries no data.
    while !is_over.load(Ordering::Relaxed) {
        for reader in &mut readers {
            loop {
                match reader.poll() {
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    // Cut, as whoever is too slow is: it goes on from the next number.
                    Err(_) if !is_over.load(Ordering::Relaxed) => reader.reconnect(options)?,
                    Err(error) => return Err(error),
                }
            }
        }
        std::thread::sleep(NAP);
    }
    Ok(())
}
