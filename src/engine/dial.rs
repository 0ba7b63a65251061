//! From a target (`/dev/ttyUSB2`, `tcp://…`, `rfc2217://…`) to an open line, or to an error that says what to do.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::clock;
use crate::engine::options::OpenOptions;
use crate::engine::wait::Until;
use crate::error::Error;
use crate::error::Kind;
use crate::transport::OpenFault;
use crate::transport::Transport;
use crate::transport::holder;
use crate::transport::holder::Holder;
use crate::transport::rfc2217;
use crate::transport::serial;
use crate::transport::tcp;

/// Opens the line.
pub fn dial(target: &str, options: &OpenOptions, until: &Until<'_>) -> Result<Arc<dyn Transport>, Error> {
    let baud = options.baud;
    match target.split_once("://") {
        Some(("tcp", address)) => {
            over_network(target, address, until, |address, timeout| Ok(Arc::new(tcp::connect(address, timeout)?)))
        }
        Some(("rfc2217", address)) => over_network(target, address, until, move |address, timeout| {
            Ok(Arc::new(rfc2217::connect(address, baud, timeout)?))
        }),
        Some((scheme, _)) => Err(Error::new(
            Kind::BadValue,
            format!("{target}: there is no {scheme}://; use a path, tcp://host:port or rfc2217://host:port"),
        )),
        None => match serial::open(target, baud) {
            Ok(port) => Ok(Arc::new(port)),
            Err(fault) => Err(fault_error(target, fault)),
        },
    }
}

/// Resolves and connects on a thread of its own: neither can be interrupted, the wait for them can.
fn over_network<F>(target: &str, address: &str, until: &Until<'_>, connect: F) -> Result<Arc<dyn Transport>, Error>
where
    F: Fn(&str, Duration) -> io::Result<Arc<dyn Transport>> + Send + 'static,
{
    let began = clock::now();
    let timeout = until.deadline.map_or(Duration::from_secs(10), |at| at.saturating_duration_since(began));
    let timeout = timeout.max(Duration::from_millis(1));
    let (report, outcome) = crossbeam_channel::bounded(1);
    let wanted = address.to_owned();
    let started = std::thread::Builder::new().name("mr-dial".to_owned()).spawn(move || {
        // Nobody listens any more when the caller gave up.
        let _ = report.send(connect(&wanted, timeout));
    });
    started.map_err(|error| Error::new(Kind::Internal, format!("{target}: no thread to connect on: {error}")))?;
    loop {
        let now = clock::now();
        let slice = until.slice(now).unwrap_or(Duration::from_secs(1));
        match outcome.recv_timeout(slice) {
            Ok(Ok(line)) => return Ok(line),
            Ok(Err(error)) => return Err(unreachable(target, &error)),
            Err(_) if until.expired(clock::now()) => {
                let late = io::Error::from(io::ErrorKind::TimedOut);
                return Err(unreachable(target, &late).awaiting("a connection", until.waited(clock::now())));
            }
            Err(_) => until.check()?,
        }
    }
}

fn unreachable(target: &str, error: &io::Error) -> Error {
    Error::new(Kind::PortMissing, format!("{target} cannot be reached: {error}"))
        .with_remedy("check host, port and that the bridge runs")
        .on_port(target, Vec::new())
}

/// What a fault of opening means, and what to do about it.
pub fn fault_error(path: &str, fault: OpenFault) -> Error {
    let error = match fault {
        OpenFault::Missing => Error::new(Kind::PortMissing, format!("{path}: there is no such port"))
            .with_remedy("plug the module in; `modemrig ports` lists what there is"),
        OpenFault::Forbidden { group } => {
            let group = group.unwrap_or_else(|| "dialout".to_owned());
            Error::new(Kind::PortForbidden, format!("{path} may be used by the group {group} only"))
                .with_remedy(format!("add yourself to it (sudo usermod -aG {group} \"$USER\") and log in again"))
        }
        OpenFault::Busy(holder) => busy_error(path, holder),
        OpenFault::Other(error) => Error::new(Kind::PortMissing, format!("{path} cannot be opened: {error}"))
            .with_remedy("check that it is a serial port"),
    };
    error.on_port(path, Vec::new())
}

fn busy_error(path: &str, holder: Option<Holder>) -> Error {
    let manager = holder::modem_manager();
    let is_manager = |holder: &Holder| holder.program.starts_with("ModemManager");
    let tame =
        "stop it (sudo systemctl stop ModemManager) or tell it to leave the port alone (udev: ID_MM_DEVICE_IGNORE=1)";
    match holder {
        Some(holder) if is_manager(&holder) => {
            Error::new(Kind::PortBusy, format!("{path} is in use by ModemManager (process {})", holder.pid))
                .with_remedy(tame)
        }
        Some(holder) => {
            Error::new(Kind::PortBusy, format!("{path} is in use by {} (process {})", holder.program, holder.pid))
                .with_remedy("close it there, or use another port")
        }
        None if manager.is_some() => Error::new(
            Kind::PortBusy,
            format!("{path} is in use, probably by ModemManager (process {})", manager.unwrap_or_default()),
        )
        .with_remedy(tame),
        None => Error::new(Kind::PortBusy, format!("{path} is in use by a program of another user"))
            .with_remedy(format!("find it with: sudo fuser -v {path}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_named_and_modem_manager_gets_its_own_advice() {
        let holder = |program: &str| Holder { pid: 7, program: program.into(), has_the_other_end: false };
        let error = fault_error("/dev/ttyUSB2", OpenFault::Busy(Some(holder("minicom"))));
        assert!(error.to_string().contains("minicom (process 7)"), "{error}");
        let error = fault_error("/dev/ttyUSB2", OpenFault::Busy(Some(holder("ModemManager"))));
        assert!(error.to_string().contains("systemctl stop ModemManager"), "{error}");
        assert_eq!(Some("/dev/ttyUSB2"), error.port.as_deref());
    }

    #[test]
    fn a_forbidden_port_names_the_group() {
        let error = fault_error("/dev/ttyS0", OpenFault::Forbidden { group: Some("uucp".into()) });
        assert!(error.to_string().contains("usermod -aG uucp"), "{error}");
    }

    #[test]
    fn an_unknown_scheme_is_a_bad_value() {
        let until = crate::engine::Wait::at_most(Duration::ZERO).until_or_never();
        let error = dial("usb://x", &OpenOptions::default(), &until).err().expect("no such scheme");
        assert_eq!(Kind::BadValue, error.kind);
    }

    #[test]
    fn a_closed_tcp_port_is_named() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let target = format!("tcp://{}", listener.local_addr().expect("an address"));
        drop(listener);
        let until = crate::engine::Wait::at_most(Duration::from_secs(5)).until_or_never();
        let error = dial(&target, &OpenOptions::default(), &until).err().expect("nobody listens");
        assert_eq!(Kind::PortMissing, error.kind);
        assert_eq!(Some(target.as_str()), error.port.as_deref());
    }
}
