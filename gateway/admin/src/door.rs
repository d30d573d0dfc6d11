//! The listener, its thread, and the end of both.

use std::{
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    path::PathBuf,
    pin::pin,
    sync::{Arc, Mutex},
    task::Poll,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
    service::TowerToHyperService,
};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
    sync::{Semaphore, oneshot},
};
use uncross_server::{desk::Desk, users::Users};

use crate::{
    api::{Api, router},
    limits::{
        BACKLOG, BODY_TIMEOUT, CONNECTIONS_MAX, CONVERSATION_MAX, DURABLE_PATIENCE, HEAD_LEN_MAX,
        HEAD_TIMEOUT, STOP_PATIENCE,
    },
    names::{Symbols, Targets},
    registry::Registry,
    workers::Workers,
};

/// Pause after the system refused a connection, mostly for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Why the door is not opened.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The address cannot be listened on.
    #[error("cannot listen for operators on {address}: {error}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// The system refused a thread or a poll.
    #[error("opening the door of operators: {error}")]
    Io {
        /// What the system said.
        #[from]
        error: io::Error,
    },
}

/// An address that is taken and not listened on: connections are refused until [`start`].
#[derive(Debug)]
pub struct Bound {
    socket: Socket,
    address: SocketAddr,
}

impl Bound {
    /// Takes the address, so that a busy one is found out before a journal is read.
    ///
    /// # Errors
    ///
    /// The address is in use, or not of this machine.
    pub fn take(address: SocketAddr) -> Result<Self, AdminError> {
        let bind = || {
            let domain = Domain::for_address(address);
            let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
            socket.set_reuse_address(true)?;
            socket.set_nonblocking(true)?;
            socket.bind(&SockAddr::from(address))?;
            Ok(socket)
        };
        let socket = bind().map_err(|error| AdminError::Listen { address, error })?;
        Ok(Self { socket, address })
    }
}

/// What the door needs to know beside the desk.
#[derive(Debug)]
pub struct Settings {
    /// Where it listens.
    pub bound: Bound,
    /// Name of the venue, for those who look.
    pub venue: String,
    /// The file of those who are let in; followed while the door is open.
    pub operators_file: PathBuf,
    /// The venue's users, for kills of users and firms.
    pub users: Users,
    /// The symbol of every id that was ever listed.
    pub symbols: Vec<(u32, [u8; 8])>,
    /// How often the journal is flushed where nothing waits for it.
    pub flush_interval: Duration,
}

/// An open door. Dropped, it closes without waiting.
#[derive(Debug)]
pub struct Admin {
    addr: SocketAddr,
    thread: JoinHandle<()>,
    _open: oneshot::Sender<()>,
}

impl Admin {
    /// Where it listens.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Closes the door: what is being answered is answered, then its thread ends.
    pub fn stop(self) {
        let Self { addr: _, thread, _open: open } = self;
        drop(open);
        // A thread that panicked has ended, which is all that is wanted of it.
        drop(thread.join());
    }
}

/// Opens the door of the venue behind `desk`.
///
/// # Errors
///
/// The address cannot be listened on, or the system refuses a thread.
pub fn start(desk: Desk, settings: Settings) -> Result<Admin, AdminError> {
    let Settings { bound, venue, operators_file, users, symbols, flush_interval } = settings;
    let api = Api {
        venue,
        clerk: Arc::new(desk),
        registry: Registry::new(operators_file),
        targets: Targets::new(users),
        symbols: Arc::new(Mutex::new(Symbols::new(&symbols))),
        workers: Workers::start()?,
        body_timeout: BODY_TIMEOUT,
        durable_patience: DURABLE_PATIENCE + flush_interval,
        since: Instant::now(),
    };
    open(bound, router(Arc::new(api)), HEAD_TIMEOUT)
}

/// Serves `router` until the door is closed.
fn open(bound: Bound, router: Router, head_timeout: Duration) -> Result<Admin, AdminError> {
    let Bound { socket, address } = bound;
    let listening = socket.listen(BACKLOG);
    listening.map_err(|error| AdminError::Listen { address, error })?;
    let listener = std::net::TcpListener::from(socket);
    let addr = listener.local_addr()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let listener = {
        let _guard = runtime.enter();
        TcpListener::from_std(listener)?
    };
    let (open, closed) = oneshot::channel();
    let serve = move || serve(runtime, Doorway { listener, router, head_timeout }, closed);
    let thread = thread::Builder::new().name("uncross-admin".to_owned()).spawn(serve)?;
    Ok(Admin { addr, thread, _open: open })
}

struct Doorway {
    listener: TcpListener,
    router: Router,
    head_timeout: Duration,
}

/// The thread of the door.
fn serve(runtime: Runtime, doorway: Doorway, closed: oneshot::Receiver<()>) {
    runtime.block_on(async move {
        let graceful = GracefulShutdown::new();
        {
            let (mut accepting, mut closed) = (pin!(accept(&doorway, &graceful)), pin!(closed));
            // Nothing is ever sent: that the sender is gone is the sign.
            let until_closed = poll_fn(|context| match closed.as_mut().poll(context) {
                Poll::Ready(_gone) => Poll::Ready(()),
                Poll::Pending => accepting.as_mut().poll(context),
            });
            until_closed.await;
        }
        drop(doorway);
        drop(tokio::time::timeout(STOP_PATIENCE, graceful.shutdown()).await);
    });
    // An act that waits still ends at its own patience, and nobody waits for that.
    runtime.shutdown_background();
}

async fn accept(doorway: &Doorway, graceful: &GracefulShutdown) {
    let Doorway { listener, router, head_timeout } = doorway;
    let head_timeout = *head_timeout;
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let Ok((stream, _peer)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (router, watcher) = (router.clone(), graceful.watcher());
        tokio::spawn(async move {
            converse(stream, router, watcher, head_timeout).await;
            drop(place);
        });
    }
}

/// One connection from beginning to end. How it ends is nobody's business but the client's.
async fn converse(stream: TcpStream, router: Router, watcher: Watcher, head_timeout: Duration) {
    drop(stream.set_nodelay(true));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .max_buf_size(HEAD_LEN_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    drop(tokio::time::timeout(CONVERSATION_MAX, watcher.watch(connection)).await);
}

#[cfg(test)]
mod tests;
