//! Starting processes, from one thread that lives as long as the pool.
//!
//! A worker asks the kernel to be killed when the *thread* that started it ends
//! (`prctl(2)`, `PR_SET_PDEATHSIG`), so that none outlives a daemon that was killed. A thread
//! of tokio's may end while the daemon goes on, and would take healthy workers with it.

use std::io;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::PoolOptions;

/// Processes that may be waited for at once, whatever the options say: no machine has room for
/// so many workers.
const MOST_PLACES: usize = 1_024;

/// A process that was started, and our end of its socket.
#[derive(Debug)]
pub(crate) struct Spawned {
    pub(crate) child: Child,
    pub(crate) stream: UnixStream,
}

/// What to give a process, and where to send it.
struct Order {
    weights: Arc<OwnedFd>,
    answer: oneshot::Sender<io::Result<Spawned>>,
}

/// The thread. It ends when this is dropped, and every worker with it.
#[derive(Debug)]
pub(crate) struct Spawner {
    orders: mpsc::SyncSender<Order>,
}

impl Spawner {
    /// Starts the thread. Called within a runtime, which will watch the processes.
    pub(crate) fn start(options: &PoolOptions) -> io::Result<Spawner> {
        // Never more start at once than there are places, warm ones, the microphone's and a
        // trial's included.
        let places = options.most.saturating_add(options.warm).saturating_add(2);
        let (orders, taken) = mpsc::sync_channel::<Order>(places.min(MOST_PLACES));
        let (program, arguments) = (options.program.clone(), options.arguments.clone());
        let runtime = Handle::current();
        let serve = move || {
            let _within = runtime.enter();
            for order in taken {
                let mut command = Command::new(&program);
                command.args(&arguments);
                let spawned = spawn(command, &order.weights);
                // Who asked may have gone: then the process ends here, as it is dropped.
                let _ = order.answer.send(spawned);
            }
        };
        thread::Builder::new()
            .name("earnest-spawn".to_owned())
            .spawn(serve)?;
        Ok(Spawner { orders })
    }

    /// Starts a process.
    pub(crate) async fn spawn(&self, weights: Arc<OwnedFd>) -> io::Result<Spawned> {
        let (answer, answered) = oneshot::channel();
        let gone = || io::Error::other("the thread that starts workers has ended");
        let sent = self.orders.try_send(Order { weights, answer });
        sent.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

fn spawn(mut command: Command, weights: &OwnedFd) -> io::Result<Spawned> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let child = command
        .stdin(Stdio::from(weights.try_clone()?))
        .stdout(Stdio::from(OwnedFd::from(theirs)))
        .stderr(Stdio::null())
        .env_clear()
        .current_dir("/")
        // A group of its own: a terminal's interrupt is not for workers, and whatever a
        // worker might have started is killed with it.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    // Our copy of their end goes with the command: the socket then ends with the process.
    drop(command);
    Ok(Spawned {
        child,
        stream: UnixStream::from_std(ours)?,
    })
}
