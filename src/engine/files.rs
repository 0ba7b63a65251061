//! Files on the module: stored with QFUPL or CCERTDOWN, only when what is there differs, and checked by the checksum.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::dialect;
use crate::dialect::grammar;
use crate::dialect::schema::Family;
use crate::engine::clock;
use crate::engine::commands::Goal;
use crate::engine::commands::Order;
use crate::engine::modem::Modem;
use crate::engine::orders::bad_value;
use crate::engine::reply::Reply;
use crate::engine::resync::name_of;
use crate::engine::wait::Until;
use crate::engine::wait::Wait;
use crate::error::Error;
use crate::error::Kind;
use crate::proto::command_line;
use crate::proto::command_line::Arg;

/// A file on the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Name on the module.
    pub name: String,
    /// Bytes, where the module says.
    pub size: Option<u64>,
}

/// What this process stored on which module: no module tells the checksum of a file it has. By IMEI and name.
static STORED: LazyLock<parking_lot::Mutex<Stored>> = LazyLock::new(Default::default);

/// Size and digest by IMEI and name.
type Stored = HashMap<(String, String), (usize, u64)>;

impl Modem {
    /// Puts a file on the module, unless the same content is already there. Says whether it was written.
    pub fn upload(&self, name: &str, content: &[u8], wait: Wait<'_>) -> Result<bool, Error> {
        let until = wait.until(self.shared().patience(self.upload_command(), None));
        let order = self.upload_order(name, content)?;
        let key = (self.identity.imei.clone(), name.to_owned());
        let stamp = (content.len(), digest(content));
        let present = self.list(&until)?.into_iter().find(|file| same_file(&file.name, name));
        if let Some(present) = present {
            let same_size = present.size.is_none_or(|size| size == content.len() as u64);
            if same_size && STORED.lock().get(&key) == Some(&stamp) {
                return Ok(false);
            }
            self.delete(name, &until)?;
        }
        let reply = self.finished(order, &until)?;
        if self.dialect.family == Family::Qmt {
            self.check_upload(name, content, &reply)?;
        }
        if !key.0.is_empty() {
            STORED.lock().insert(key, stamp);
        }
        Ok(true)
    }

    /// Deletes a file on the module.
    pub fn delete_file(&self, name: &str, wait: Wait<'_>) -> Result<(), Error> {
        let until = wait.until(self.shared().patience("AT+QFDEL", None));
        self.delete(name, &until)
    }

    /// The files on the module.
    pub fn files(&self, wait: Wait<'_>) -> Result<Vec<FileEntry>, Error> {
        let until = wait.until(self.shared().patience("AT+QFLST", None));
        self.list(&until)
    }

    fn upload_command(&self) -> &'static str {
        match self.dialect.family {
            Family::Qmt => "AT+QFUPL",
            Family::Cmqtt => "AT+CCERTDOWN",
        }
    }

    fn upload_order(&self, name: &str, content: &[u8]) -> Result<Order, Error> {
        let size = dialect::Value::Int(i64::try_from(content.len()).unwrap_or(i64::MAX));
        self.checked(self.upload_command(), "write", &[dialect::Value::from(name), size], Some(content))
    }

    fn check_upload(&self, name: &str, content: &[u8], reply: &Reply) -> Result<(), Error> {
        let expected = format!("{:x}", checksum(content));
        let fields = reply.lines.iter().find_map(|line| line.strip_prefix("+QFUPL:"));
        let fields =
            fields.map(|rest| rest.split(',').map(|field| field.trim().to_ascii_lowercase()).collect::<Vec<_>>());
        let stored = match fields.as_deref() {
            Some([size, sum]) => *size == content.len().to_string() && without_zeros(sum) == without_zeros(&expected),
            _ => false,
        };
        if stored {
            return Ok(());
        }
        let said = reply.lines.join(" | ");
        let message = format!(
            "{name} did not arrive whole: expected size {} and checksum {expected}, the module said {said:?}",
            content.len()
        );
        Err(self.shared().explain(Error::new(Kind::Garbled, message).with_remedy("check the line, then upload again")))
    }

    fn delete(&self, name: &str, until: &Until<'_>) -> Result<(), Error> {
        let command = match self.dialect.family {
            Family::Qmt => "AT+QFDEL",
            Family::Cmqtt => "AT+CCERTDELE",
        };
        STORED.lock().remove(&(self.identity.imei.clone(), name.to_owned()));
        let order = self.checked(command, "write", &[dialect::Value::from(name)], None)?;
        self.finished(order, until).map(|_| ())
    }

    fn list(&self, until: &Until<'_>) -> Result<Vec<FileEntry>, Error> {
        let (line, prefix) = match self.dialect.family {
            Family::Qmt => ("AT+QFLST=\"*\"", "+QFLST:"),
            Family::Cmqtt => ("AT+CCERTLIST", "+CCERTLIST:"),
        };
        let order = Order::raw(line, None, grammar::any())?;
        let reply = match self.finished(order, until) {
            // Some firmware refuses to list nothing.
            Err(error) if error.kind == Kind::CommandRefused => return Ok(Vec::new()),
            other => other?,
        };
        Ok(reply.lines.iter().filter_map(|line| entry(line.strip_prefix(prefix)?)).collect())
    }

    /// A command line of a catalogued command, its values in the order of the wire.
    pub(crate) fn checked(
        &self,
        name: &str,
        variant: &str,
        arguments: &[dialect::Value],
        payload: Option<&[u8]>,
    ) -> Result<Order, Error> {
        let line = dialect::check(self.dialect, name, variant, arguments).map_err(|error| bad_value(&error))?;
        Order::of_line(line, payload, grammar::any())
    }

    /// Sends an order; a failure is the error.
    pub(crate) fn finished(&self, order: Order, until: &Until<'_>) -> Result<Reply, Error> {
        let port = self.shared();
        let own = Wait { timeout: None, interrupt: until.interrupt }
            .until(port.patience(name_of(&order.shown), order.client));
        let until = match until.deadline {
            Some(deadline) if until.given => own.cut(deadline),
            _ => own,
        };
        let exchange = port.execute(order, &until, Goal::Complete)?;
        port.reply(&exchange, clock::now()).check()
    }
}

fn entry(fields: &str) -> Option<FileEntry> {
    let mut fields = command_line::fields(fields.trim_start().as_bytes()).into_iter();
    let name = String::from_utf8(fields.next()?.text()?.to_vec()).ok()?;
    let size = fields.next().as_ref().and_then(Arg::number).and_then(|size| u64::try_from(size).ok());
    Some(FileEntry { name, size })
}

/// Quectel's user storage may or may not be named: `UFS:ca.pem` is `ca.pem`.
fn same_file(one: &str, other: &str) -> bool {
    let bare = |name: &str| name.strip_prefix("UFS:").unwrap_or(name).to_owned();
    bare(one) == bare(other)
}

/// 16-bit XOR of big-endian byte pairs; a last odd byte counts as the high one (QFUPL).
pub fn checksum(content: &[u8]) -> u16 {
    content.chunks(2).fold(0, |sum, pair| sum ^ u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]))
}

fn without_zeros(hex: &str) -> &str {
    hex.trim_start_matches("0x").trim_start_matches('0')
}

/// FNV-1a: enough to tell whether a file changed since this process stored it.
fn digest(content: &[u8]) -> u64 {
    content.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_xor_of_byte_pairs() {
        assert_eq!(0x4142 ^ 0x4344, checksum(b"ABCD"));
        assert_eq!(0x4142 ^ 0x4300, checksum(b"ABC"));
        assert_eq!(0, checksum(b""));
    }

    #[test]
    fn a_listed_file_has_a_name_and_perhaps_a_size() {
        assert_eq!(Some(FileEntry { name: "UFS:ca.pem".into(), size: Some(1187) }), entry(" \"UFS:ca.pem\",1187"));
        assert_eq!(Some(FileEntry { name: "ca.pem".into(), size: None }), entry("\"ca.pem\""));
        assert!(same_file("UFS:ca.pem", "ca.pem"));
    }
}
