//! TLS contexts of the module: QSSLCFG or CSSLCFG, and the certificates they name.

use crate::dialect;
use crate::dialect::schema::Family;
use crate::engine::modem::Modem;
use crate::engine::orders::unsupported;
use crate::engine::settings::value_of;
use crate::engine::value::Value;
use crate::engine::wait::Until;
use crate::engine::wait::Wait;
use crate::error::Error;
use crate::error::Kind;
use crate::proto::command_line;

/// What a TLS context checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVerify {
    /// Nothing.
    #[default]
    None,
    /// The broker's certificate chain. No level checks the host name.
    Server,
    /// The chain, and the broker checks ours.
    Mutual,
}

/// The certificates of a TLS context, in PEM; uploaded where the module does not have them yet.
#[derive(Clone, Default)]
pub struct TlsFiles {
    /// Certificate of the authority.
    pub ca: Option<Vec<u8>>,
    /// Certificate of the client.
    pub client_cert: Option<Vec<u8>>,
    /// Key of the client.
    pub client_key: Option<Vec<u8>>,
    /// What is checked.
    pub verify: TlsVerify,
    /// Do not check validity dates against the module's clock.
    pub ignore_local_time: bool,
    /// Send the host name in the handshake; `None` leaves the module's setting.
    pub sni: Option<bool>,
}

impl TlsFiles {
    /// That everything is there, and is what it is given as: a module says no more than that TLS failed.
    fn check(&self) -> Result<(), Error> {
        let all = [
            ("ca", &self.ca, CERTIFICATE, self.verify != TlsVerify::None),
            ("client_cert", &self.client_cert, CERTIFICATE, self.verify == TlsVerify::Mutual),
            ("client_key", &self.client_key, PRIVATE_KEY, self.verify == TlsVerify::Mutual),
        ];
        for (name, content, kind, needed) in all {
            let flaw = match content {
                None if needed => Some("is not given, and this verification needs it".to_owned()),
                None => None,
                Some(content) => flaw(content, kind),
            };
            if let Some(flaw) = flaw {
                return Err(Error::new(Kind::BadValue, format!("{name} {flaw}")));
            }
        }
        Ok(())
    }
}

/// Words of PEM's first and last lines (RFC 7468).
const CERTIFICATE: &str = "CERTIFICATE";
const PRIVATE_KEY: &str = "PRIVATE KEY";

/// What is wrong with a file that should hold this, as far as it can be seen without opening it.
fn flaw(content: &[u8], kind: &str) -> Option<String> {
    /// How every DER file begins: a SEQUENCE.
    const DER: u8 = 0x30;
    let text = String::from_utf8_lossy(content);
    let holds = |place: &str, kind: &str| {
        text.lines().any(|line| {
            line.starts_with(&format!("-----{place} ")) && line.trim_end().ends_with(&format!("{kind}-----"))
        })
    };
    let other = if kind == CERTIFICATE { PRIVATE_KEY } else { CERTIFICATE };
    match content.first() {
        None => Some("is empty".to_owned()),
        Some(&DER) => None,
        _ if holds("BEGIN", "ENCRYPTED PRIVATE KEY") || text.contains("\nProc-Type: 4,ENCRYPTED") => {
            Some("is encrypted, and a module cannot be told the password; decrypt it first".to_owned())
        }
        _ if !holds("BEGIN", kind) && holds("BEGIN", other) => {
            Some(format!("holds a {}, not a {}", other.to_lowercase(), kind.to_lowercase()))
        }
        _ if !holds("BEGIN", kind) => Some(format!("holds no {} in PEM", kind.to_lowercase())),
        _ if !holds("END", kind) => {
            Some(format!("is cut off: the last line of its {} is missing", kind.to_lowercase()))
        }
        _ => None,
    }
}

/// How the families name what they share.
struct Names {
    command: &'static str,
    level: &'static str,
    sni: &'static str,
    /// In front of a file's name.
    storage: &'static str,
}

const QMT: Names = Names { command: "AT+QSSLCFG", level: "seclevel", sni: "sni", storage: "UFS:" };
const CMQTT: Names = Names { command: "AT+CSSLCFG", level: "authmode", sni: "enableSNI", storage: "" };

/// All versions the module has; both families number it 4.
const ALL_VERSIONS: i64 = 4;

impl Modem {
    /// Sets up a TLS context of the module, uploading what it needs. What was set before is restored at the end.
    pub fn tls_context(&self, index: u8, files: &TlsFiles, wait: Wait<'_>) -> Result<(), Error> {
        let names = match self.dialect.family {
            Family::Qmt => QMT,
            Family::Cmqtt => CMQTT,
        };
        if self.dialect.command(names.command).is_none() || self.dialect.command(self.tls_switch()).is_none() {
            return Err(unsupported(self.dialect, "TLS"));
        }
        let until = wait.until(self.shared().patience(names.command, None));
        files.check()?;
        let level = match files.verify {
            TlsVerify::None => 0,
            TlsVerify::Server => 1,
            TlsVerify::Mutual => 2,
        };
        let wanted = [
            ("cacert", &files.ca, "ca"),
            ("clientcert", &files.client_cert, "cert"),
            ("clientkey", &files.client_key, "key"),
        ];
        let given = wanted.iter().filter_map(|(key, content, short)| {
            Some((*key, format!("{}mr{index}_{short}.pem", names.storage), content.as_deref()?))
        });
        let uploads: Vec<(&str, String, &[u8])> = given.collect();
        let mut settings =
            vec![("sslversion", dialect::Value::Int(ALL_VERSIONS)), (names.level, dialect::Value::Int(level))];
        settings.extend(uploads.iter().map(|(key, name, _)| (*key, dialect::Value::from(name.as_str()))));
        settings.push(("ignorelocaltime", dialect::Value::Int(i64::from(files.ignore_local_time))));
        if let Some(sni) = files.sni {
            settings.push((names.sni, dialect::Value::Int(i64::from(sni))));
        }
        // A value that is refused is refused before the first file is written.
        for (key, value) in &settings {
            self.checked(names.command, key, &[dialect::Value::Int(index.into()), value.clone()], None)?;
        }
        for (_, name, content) in uploads {
            // Each file has the documented time of one, within the caller's.
            let left = until.deadline.filter(|_| until.given);
            let left = left.map(|at| at.saturating_duration_since(crate::engine::clock::now()));
            self.upload(&name, content, Wait { timeout: left, interrupt: until.interrupt })?;
        }
        for (key, value) in settings {
            self.set_tls(&names, index, key, value, &until)?;
        }
        Ok(())
    }

    /// The command or setting that makes a client use TLS at all; a dialect without it cannot.
    fn tls_switch(&self) -> &'static str {
        match self.dialect.family {
            Family::Cmqtt => "AT+CMQTTSSLCFG",
            Family::Qmt if self.dialect.variant_for("AT+QMTCFG", "ssl").is_some() => "AT+QMTCFG",
            Family::Qmt => "no such command",
        }
    }

    fn set_tls(
        &self,
        names: &Names,
        index: u8,
        key: &str,
        value: dialect::Value,
        until: &Until<'_>,
    ) -> Result<(), Error> {
        let context = dialect::Value::Int(index.into());
        let order = self.checked(names.command, key, &[context, value], None)?;
        let found = self.find_tls(names, index, key, until)?;
        if let Some(found) = found {
            let line = (names.command.to_owned(), key.to_owned());
            self.shared().found_tls.lock().entry((index, line)).or_insert(found);
        }
        self.finished(order, until).map(|_| ())
    }

    /// The present value, where the module can be asked for it.
    fn find_tls(&self, names: &Names, index: u8, key: &str, until: &Until<'_>) -> Result<Option<Value>, Error> {
        let Some((_, variant)) = self.dialect.variant_for(names.command, key) else { return Ok(None) };
        if variant.query.is_none() {
            return Ok(None);
        }
        let order = self.checked(names.command, key, &[dialect::Value::Int(index.into())], None)?;
        let reply = match self.finished(order, until) {
            Err(error) if error.kind == Kind::CommandRefused => return Ok(None),
            other => other?,
        };
        // `+QSSLCFG: "seclevel",0,1`: key, context, value.
        let last = reply.lines.iter().find_map(|line| {
            let (_, rest) = line.split_once(':')?;
            let fields = command_line::fields(rest.trim_start().as_bytes());
            (fields.len() == 3).then(|| fields.into_iter().next_back()).flatten()
        });
        Ok(last.map(value_of))
    }

    /// Writes back the settings of TLS contexts that were changed.
    pub(crate) fn restore_tls(&self, until: &Until<'_>) -> Result<(), Error> {
        let found = std::mem::take(&mut *self.shared().found_tls.lock());
        for ((index, (command, key)), value) in found.into_iter().rev() {
            let Some(known) = self.dialect.command(&command) else { continue };
            let param =
                self.dialect.variant_for(&command, &key).and_then(|(_, variant)| variant.params.get(1)).cloned();
            let value = crate::engine::orders::wire_value(known, param.as_deref().unwrap_or_default(), &value);
            // An empty file name cannot be written back.
            let Ok(order) = self.checked(&command, &key, &[dialect::Value::Int(index.into()), value], None) else {
                continue;
            };
            if let Err(error) = self.finished(order, until) {
                log::warn!(target: "modemrig::engine", "{}: {key} of TLS context {index} could not be restored: {error}", self.port());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_what_it_is_given_as_is_refused_with_the_reason() {
        let cert = b"# of the lab\n-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
        let key = b"-----BEGIN EC PRIVATE KEY-----\r\nMIIB\r\n-----END EC PRIVATE KEY-----\r\n";
        let secret = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let old = b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nMIIB\n-----END RSA PRIVATE KEY-----\n";
        let rows: [(&[u8], &str, Option<&str>); 11] = [
            (cert, CERTIFICATE, None),
            (key, PRIVATE_KEY, None),
            (&[0x30, 0x82, 1], CERTIFICATE, None),
            (cert, PRIVATE_KEY, Some("holds a certificate, not a private key")),
            (key, CERTIFICATE, Some("holds a private key, not a certificate")),
            (secret, PRIVATE_KEY, Some("encrypted")),
            (old, PRIVATE_KEY, Some("encrypted")),
            (&cert[..30], CERTIFICATE, Some("holds no certificate")),
            (&cert[..50], CERTIFICATE, Some("cut off")),
            (b"/etc/ssl/ca.pem", CERTIFICATE, Some("holds no certificate in PEM")),
            (b"", PRIVATE_KEY, Some("empty")),
        ];
        for (content, kind, expected) in rows {
            let found = flaw(content, kind);
            let fits = match (&found, expected) {
                (None, None) => true,
                (Some(found), Some(expected)) => found.contains(expected),
                _ => false,
            };
            assert!(fits, "{}: {found:?}", String::from_utf8_lossy(content));
        }
    }
}
