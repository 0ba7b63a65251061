//! TLS contexts: what a host set with AT+QSSLCFG or AT+CSSLCFG and the files it uploaded, made into settings of a connection.

use std::sync::Arc;

use rustls::ClientConfig;

use crate::dialect::Value;
use crate::transport::tls::CertificateClock;
use crate::transport::tls::ClientTls;
use crate::transport::tls::Verify;
use crate::transport::tls::knows_suite;
use crate::virtual_module::device::Device;

/// The version parameter for TLS 1.2, and the second byte of its number on the wire.
const TLS_1_2: u8 = 3;

/// How a connection is secured.
#[derive(Clone, Debug)]
pub(super) enum Security {
    /// By TLS 1.2 (version parameters 3 and 4).
    Tls(Arc<ClientConfig>),
    /// By a version or a cipher suite that no library of today speaks: the hello with which the module asks for it. What
    /// the peer answers is real; that the connection fails then is this stand-in's limit.
    Unspoken(Vec<u8>),
}

/// Why a context makes no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ContextFault {
    /// A file that the context names, or must name, is not there.
    FileMissing,
    /// A file holds nothing usable, or key and certificate do not match.
    FileUnusable,
}

/// The names under which the two families keep the same settings: key and parameter.
struct Names {
    command: &'static str,
    version: (&'static str, &'static str),
    level: (&'static str, &'static str),
    ca: (&'static str, &'static str),
    cert: (&'static str, &'static str),
    key: (&'static str, &'static str),
    ignore_time: (&'static str, &'static str),
    sni: (&'static str, &'static str),
    suites: Option<(&'static str, &'static str)>,
}

const QUECTEL: Names = Names {
    command: "AT+QSSLCFG",
    version: ("sslversion", "ssl_version"),
    level: ("seclevel", "seclevel"),
    ca: ("cacert", "cacertpath"),
    cert: ("clientcert", "client_cert_path"),
    key: ("clientkey", "client_key_path"),
    ignore_time: ("ignorelocaltime", "ignore_localtime"),
    sni: ("sni", "sni"),
    suites: Some(("ciphersuite", "cipher_suites")),
};

const SIMCOM: Names = Names {
    command: "AT+CSSLCFG",
    version: ("sslversion", "sslversion"),
    level: ("authmode", "authmode"),
    ca: ("cacert", "cacert_name"),
    cert: ("clientcert", "clientcert_name"),
    key: ("clientkey", "clientkey_name"),
    ignore_time: ("ignorelocaltime", "ignore_localtime"),
    sni: ("enableSNI", "enable_sni"),
    suites: None,
};

/// Makes a context of a module into the security of a connection. Its files count whatever is made of them.
pub(super) fn security(device: &Device, context: i64) -> Result<Security, ContextFault> {
    let names = if device.dialect.command(QUECTEL.command).is_some() { &QUECTEL } else { &SIMCOM };
    let number = |(key, param)| device.setting_int(names.command, key, param, context).unwrap_or_default();
    let verify = match number(names.level) {
        // 3 of SIMCom: the client shows its certificate, the server's is not checked.
        0 | 3 => Verify::Nothing,
        1 => Verify::Server,
        _ => Verify::Mutual,
    };
    let file = |(key, param): (&str, &str)| -> Result<Option<Vec<u8>>, ContextFault> {
        match device.setting(names.command, key, param, context) {
            Some(Value::Text(name)) if !name.is_empty() => {
                device.files.get(&name).map(|content| Some(content.to_vec())).ok_or(ContextFault::FileMissing)
            }
            _ => Err(ContextFault::FileMissing),
        }
    };
    let (ca, client_cert, client_key) = match verify {
        Verify::Nothing if number(names.level) == 3 => (None, file(names.cert)?, file(names.key)?),
        Verify::Nothing => (None, None, None),
        Verify::Server => (file(names.ca)?, None, None),
        Verify::Mutual => (file(names.ca)?, file(names.cert)?, file(names.key)?),
    };
    let suite = names.suites.and_then(|(key, param)| only_suite(device.setting(names.command, key, param, context)?));
    let tls = ClientTls {
        verify,
        check_host_name: verify != Verify::Nothing && device.quirks.has("tls_checks_host_name"),
        ca,
        client_cert,
        client_key,
        clock: if number(names.ignore_time) == 1 {
            CertificateClock::Ignored
        } else {
            CertificateClock::At(device.clock_now())
        },
        sni: number(names.sni) == 1,
        cipher_suites: suite.filter(|suite| knows_suite(*suite)).map(|suite| vec![suite]),
        ..ClientTls::default()
    };
    let config = tls.build().map_err(|_| ContextFault::FileUnusable)?;
    Ok(match (number(names.version), suite) {
        (version @ 0..=2, _) => Security::Unspoken(hello(version as u8, suite)),
        (_, Some(one)) if !knows_suite(one) => Security::Unspoken(hello(TLS_1_2, suite)),
        _ => Security::Tls(config),
    })
}

/// The one suite that is offered; none for 0xFFFF, which is all of them.
fn only_suite(value: Value) -> Option<u16> {
    let Value::Text(text) = value else { return None };
    let text = String::from_utf8(text).ok()?;
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    u16::from_str_radix(digits, 16).ok().filter(|suite| *suite != 0xffff)
}

/// What a server of TLS 1.2 wants to know before it chooses a suite: curves (secp256r1, x25519; RFC 8422, 5.1.1) and
/// signatures (RSA and ECDSA with SHA-256, RSA-PSS; RFC 5246, 7.4.1.4.1), behind their length.
const EXTENSIONS: [u8; 24] = [0, 22, 0, 10, 0, 6, 0, 4, 0, 23, 0, 29, 0, 13, 0, 8, 0, 6, 4, 1, 4, 3, 8, 4];

/// A ClientHello of SSL 3.0 (version 0) to TLS 1.2 (RFC 6101, 2246, 4346, 5246): the version, 32 bytes of no secrecy, and
/// this suite or those of that time.
fn hello(version: u8, suite: Option<u16>) -> Vec<u8> {
    const SUITES: [u16; 6] = [0xc014, 0xc013, 0x0035, 0x002f, 0x0005, 0x000a];
    let suites = suite.as_ref().map_or(&SUITES[..], std::slice::from_ref);
    let mut body = vec![3, version];
    body.extend((0..32u8).map(|i| i.wrapping_mul(37).wrapping_add(version)));
    body.push(0); // no session to resume
    body.extend((suites.len() as u16 * 2).to_be_bytes());
    body.extend(suites.iter().flat_map(|suite| suite.to_be_bytes()));
    body.extend([1, 0]); // no compression
    if version == TLS_1_2 {
        body.extend(EXTENSIONS);
    }
    let mut handshake = vec![1, 0];
    handshake.extend((body.len() as u16).to_be_bytes());
    handshake.extend(body);
    let mut record = vec![22, 3, version.min(1)]; // RFC 5246, E.1: servers take a first record of TLS 1.0 from anybody.
    record.extend((handshake.len() as u16).to_be_bytes());
    record.extend(handshake);
    record
}
