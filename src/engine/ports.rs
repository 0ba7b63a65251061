//! The serial ports of this computer, and what is behind one: an AT interface and its speed, positions, diagnostics, nothing.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::clock;
use crate::engine::dial;
use crate::engine::modem::Modem;
use crate::engine::options::OpenOptions;
use crate::engine::options::PortEntry;
use crate::engine::options::PortKind;
use crate::engine::readiness::Interest;
use crate::engine::readiness::Readiness;
use crate::engine::wait::Until;
use crate::engine::wait::Wait;
use crate::error::Error;
use crate::error::Kind;
use crate::transport::Transport;
use crate::transport::holder;

/// Speeds modules are found at: the documents' 115200 first, then NB-IoT's 9600, then what people set.
const SPEEDS: [u32; 9] = [115_200, 9_600, 921_600, 460_800, 230_400, 57_600, 38_400, 19_200, 4_800];
/// How long one speed is tried; a module answers `AT` within 20 ms (decision 42), a waking one later.
const TRY: Duration = Duration::from_millis(300);
/// How long a port is listened to before anything is sent: positions come every second, diagnostics at once.
const LISTEN: Duration = Duration::from_millis(1100);
/// How long identifying may take where the caller gives no time.
const IDENTIFYING: Duration = Duration::from_secs(15);
/// Begins and ends a frame of the diagnostic protocol.
const FRAME: u8 = 0x7e;

/// The serial ports of this computer.
pub fn ports() -> Result<Vec<PortEntry>, Error> {
    let found = serialport::available_ports()
        .map_err(|error| Error::new(Kind::Internal, format!("the ports of this computer cannot be listed: {error}")))?;
    let links = links();
    let entries = found.into_iter().map(|port| {
        let path = port.port_name;
        let (description, usb, serial_number) = match port.port_type {
            serialport::SerialPortType::UsbPort(usb) => {
                let words: Vec<String> = usb.manufacturer.into_iter().chain(usb.product).collect();
                (words.join(" "), Some(format!("{:04x}:{:04x}", usb.vid, usb.pid)), usb.serial_number)
            }
            serialport::SerialPortType::PciPort => ("built in".to_owned(), None, None),
            serialport::SerialPortType::BluetoothPort => ("Bluetooth".to_owned(), None, None),
            serialport::SerialPortType::Unknown => (String::new(), None, None),
        };
        let holder =
            holder::holders(&path).into_iter().next().map(|holder| format!("{} ({})", holder.program, holder.pid));
        let links = links.get(&path).cloned().unwrap_or_default();
        PortEntry { path, description, usb, serial_number, links, holder }
    });
    let mut entries: Vec<PortEntry> = entries.collect();
    entries.sort_by_key(|entry| natural(&entry.path));
    Ok(entries)
}

/// `/dev/ttyUSB10` comes after `/dev/ttyUSB9`.
fn natural(path: &str) -> (String, u64) {
    let stem = path.trim_end_matches(|c: char| c.is_ascii_digit());
    (stem.to_owned(), path[stem.len()..].parse().unwrap_or(0))
}

/// The names below `/dev/serial`, by the device they lead to.
pub(super) fn links() -> HashMap<String, Vec<String>> {
    let mut found: HashMap<String, Vec<String>> = HashMap::new();
    for folder in ["/dev/serial/by-id", "/dev/serial/by-path"] {
        let Ok(entries) = fs::read_dir(Path::new(folder)) else { continue };
        for entry in entries.flatten() {
            if let (Ok(device), Some(link)) = (fs::canonicalize(entry.path()), entry.path().to_str().map(str::to_owned))
            {
                found.entry(device.to_string_lossy().into_owned()).or_default().push(link);
            }
        }
    }
    found
}

/// Says what a port carries: tries the speeds of the field, and knows an NMEA or a diagnostic interface by its bytes.
pub fn identify(target: &str, wait: Wait<'_>) -> Result<PortKind, Error> {
    let until = wait.until(IDENTIFYING);
    let line = dial::dial(target, &OpenOptions::default(), &until)?;
    probe(target, line, &until).map_err(|error| match error.port {
        None => error.on_port(target, Vec::new()),
        Some(_) => error,
    })
}

/// The line ended while it was being looked at.
fn gone(message: impl Into<String>) -> Error {
    Error::new(Kind::PortGone, message).with_remedy("check cable and power, then try again")
}

fn probe(target: &str, line: Arc<dyn Transport>, until: &Until<'_>) -> Result<PortKind, Error> {
    let mut heard = listen(&line, &until.cut(clock::now() + LISTEN), |_| false)?;
    if let Some(kind) = unasked(&heard) {
        return Ok(kind);
    }
    let speeds: &[u32] = if line.has_baud() { &SPEEDS } else { &SPEEDS[..1] };
    let mut diagnostic = 0;
    for &baud in speeds {
        if until.expired(clock::now()) {
            break;
        }
        line.set_baud(baud).map_err(|error| gone(format!("{target} cannot be set to {baud} baud: {error}")))?;
        let mut here = Vec::new();
        // Twice: the first teaches an autobauding module the speed.
        for _ in 0..2 {
            send(&line, b"AT\r");
            let answer = listen(&line, &until.cut(clock::now() + TRY), is_answer)?;
            if is_answer(&answer) {
                drop(line);
                return meet(target, baud, until);
            }
            here.extend(answer);
        }
        // A module of another speed says anything, once; a diagnostic interface says the same at any speed.
        diagnostic += usize::from(unasked(&here) == Some(PortKind::Diagnostic));
        heard.extend(here);
        if diagnostic == speeds.len().min(2) {
            return Ok(PortKind::Diagnostic);
        }
    }
    if unasked(&heard) == Some(PortKind::Nmea) {
        return Ok(PortKind::Nmea);
    }
    Ok(if heard.is_empty() { PortKind::Silent } else { PortKind::Unknown })
}

fn meet(target: &str, baud: u32, until: &Until<'_>) -> Result<PortKind, Error> {
    let left = until.deadline.map(|at| at.saturating_duration_since(clock::now()).max(Duration::from_secs(2)));
    let options = OpenOptions { baud, ..OpenOptions::default() };
    let modem = Modem::open(target, options, Wait { timeout: left, interrupt: until.interrupt })?;
    let identity = modem.identity();
    modem.close_gracefully(Wait { timeout: Some(Duration::from_secs(2)), interrupt: until.interrupt })?;
    Ok(PortKind::At { baud, identity })
}

/// What bytes that nobody asked for tell.
fn unasked(heard: &[u8]) -> Option<PortKind> {
    let lines = heard.split(|byte| matches!(byte, b'\r' | b'\n'));
    let is_nmea = |line: &[u8]| {
        line.len() > 6 && line[0] == b'$' && line[1..6].iter().all(u8::is_ascii_uppercase) && line.contains(&b',')
    };
    if lines.into_iter().any(is_nmea) {
        return Some(PortKind::Nmea);
    }
    let binary = heard.iter().filter(|byte| !byte.is_ascii()).count();
    let framed = heard.len() >= 4
        && heard.last() == Some(&FRAME)
        && heard.iter().any(|byte| *byte < b' ' && !matches!(byte, b'\r' | b'\n'));
    (framed || (heard.contains(&FRAME) && binary > 0)).then_some(PortKind::Diagnostic)
}

/// `OK`, also the numeric one.
pub(super) fn is_answer(heard: &[u8]) -> bool {
    let text: Vec<u8> = heard.iter().copied().filter(|byte| *byte != b'\n').collect();
    memchr::memmem::find(&text, b"OK\r").is_some() || text.ends_with(b"\r0\r") || text == b"0\r"
}

pub(super) fn send(line: &Arc<dyn Transport>, bytes: &[u8]) {
    // What cannot be sent is not answered, and that is what the caller looks at.
    let _ = line.write(bytes);
}

/// What comes until `enough`, or until the time is over.
pub(super) fn listen(
    line: &Arc<dyn Transport>,
    until: &Until<'_>,
    enough: impl Fn(&[u8]) -> bool,
) -> Result<Vec<u8>, Error> {
    let failed = |error: std::io::Error| Error::new(Kind::PortGone, format!("the port failed: {error}"));
    let readiness = Readiness::new(line.as_raw_fd()).map_err(failed)?;
    let mut heard = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match line.read(&mut buffer) {
            Ok(0) => return Err(gone("the other end closed the line")),
            Ok(count) => heard.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
        let now = clock::now();
        if enough(&heard) || until.expired(now) {
            return Ok(heard);
        }
        readiness.wait_here(Interest::Read, until.slice(now));
        until.check()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_and_diagnostics_are_known_by_their_bytes() {
        assert_eq!(Some(PortKind::Nmea), unasked(b"$GNGGA,092725.00,4717.11,N*5B\r\n"));
        assert_eq!(Some(PortKind::Diagnostic), unasked(b"\x13AT\r\x9a\x7e"));
        assert_eq!(None, unasked(b"\r\n+QIURC: \"pdpdeact\",1\r\n"));
        assert_eq!(None, unasked(b""));
    }

    #[test]
    fn an_answer_is_ok_in_words_or_as_a_number() {
        assert!(is_answer(b"\r\nOK\r\n"));
        assert!(is_answer(b"AT\r0\r"));
        assert!(!is_answer(b"\r\nRDY\r\n"));
    }

    #[test]
    fn ports_sort_by_number() {
        assert!(natural("/dev/ttyUSB9") < natural("/dev/ttyUSB10"));
    }
}
