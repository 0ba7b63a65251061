//! Opening and closing a port: the line, the reader thread, the handle whose last copy closes it.

use std::sync::Arc;

use crate::engine::options::OpenOptions;
use crate::engine::port::Port;
use crate::engine::talk::Talk;
use crate::error::Error;
use crate::error::Kind;
use crate::transport::Transport;

/// An open port and its reader thread; dropping it closes the port.
pub struct OpenPort {
    /// What the threads share.
    pub port: Arc<Port>,
}

impl OpenPort {
    /// Starts the reader on an open line.
    pub fn start(line: Arc<dyn Transport>, name: String, options: OpenOptions) -> Result<OpenPort, Error> {
        let failed = |error: std::io::Error| {
            Error::new(Kind::Internal, format!("the reader of {name} could not be started: {error}"))
                .with_remedy("check the limits of open files and threads (ulimit -n, ulimit -u)")
        };
        let talk = Talk::new(&name, options.transcript.as_deref()).map_err(|error| {
            let path = options.transcript.as_deref().map(|path| path.display().to_string()).unwrap_or_default();
            Error::new(Kind::BadValue, format!("the transcript {path} cannot be written: {error}"))
        })?;
        let port = Port::new(line, name.clone(), options, talk).map_err(failed)?;
        let port = Arc::new(port);
        start_reader(&port).map_err(failed)?;
        log::info!(target: "modemrig::engine", "{name}: open");
        Ok(OpenPort { port })
    }

    /// Closes the port; every waiter wakes. Idempotent.
    pub fn close(&self) {
        let first = !self.port.has_ended();
        let name = &self.port.name;
        let reason = Error::new(Kind::PortClosed, format!("{name} was closed by this program"));
        self.port.end(reason.on_port(name.clone(), Vec::new()));
        self.port.let_go();
        if first {
            log::info!(target: "modemrig::engine", "{name}: closed");
        }
    }
}

/// Starts a thread that reads the port until it ends.
pub fn start_reader(port: &Arc<Port>) -> std::io::Result<()> {
    port.announce_reader();
    let reader = Arc::clone(port);
    let short: String = port.name.rsplit('/').next().unwrap_or(&port.name).chars().take(12).collect();
    let started = std::thread::Builder::new()
        .name(format!("mr-{short}"))
        .stack_size(256 * 1024)
        .spawn(move || reader.read_until_ended());
    if let Err(error) = started {
        port.reader_ended();
        return Err(error);
    }
    Ok(())
}

impl Drop for OpenPort {
    fn drop(&mut self) {
        self.close();
    }
}
