//! A host that types TLS settings and files at a virtual module, in the words of either family.

use modemrig::dialect::catalogue;
use modemrig::dialect::schema::Family;

use crate::tls_servers::NAME;
use crate::tls_servers::file;
use crate::virtual_host::Host;

/// The documents with TLS.
pub const DIALECTS: [&str; 4] = ["lte_standard_a", "ecx00u_egx00u", "ec200x_ec600x_eg912y", "sim7028"];

/// How an open ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// Well.
    Open,
    /// As TLS fails.
    Tls,
    /// Because a file is missing; the broker is not asked.
    NoFile,
    /// Because a file is unusable; the broker is not asked.
    BadFile,
}

impl Ends {
    fn code(self, family: Family) -> i32 {
        match (family, self) {
            (_, Ends::Open) => 0,
            (Family::Qmt, _) => -1,
            (Family::Cmqtt, Ends::NoFile) => 33,
            (Family::Cmqtt, _) => 32,
        }
    }
}

/// What the module's calendar shows.
#[derive(Clone, Copy, Debug)]
pub enum Calendar {
    /// What the network tells.
    Told,
    /// 1980, since nobody tells it.
    Untold,
    /// What the network tells, so many seconds wrong.
    Wrong(i64),
    /// What the host has set.
    Set(&'static str),
}

/// What is typed at a module about a TLS context.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    pub level: u8,
    pub ca: Option<&'static str>,
    pub cert: Option<&'static str>,
    pub key: Option<&'static str>,
    pub ignores_time: bool,
    pub sni: bool,
    pub version: u8,
    /// Quectel modules only.
    pub suite: Option<&'static str>,
    pub calendar: Calendar,
}

/// Level 0, nothing named, dates count.
pub const PLAIN: Context = Context {
    level: 0,
    ca: None,
    cert: None,
    key: None,
    ignores_time: false,
    sni: false,
    version: 4,
    suite: None,
    calendar: Calendar::Told,
};
/// Level 1.
pub const CHAIN: Context = Context { level: 1, ca: Some("ca"), ..PLAIN };
/// Level 2.
pub const MUTUAL: Context = Context { level: 2, cert: Some("client"), key: Some("client.key"), ..CHAIN };

/// Which commands a dialect has.
pub fn family(dialect: &str) -> Family {
    catalogue().get(dialect).expect("is built in").family
}

/// A module of this dialect, by default led to this port for TLS.
pub fn host_to(dialect: &str, tls_port: u16, calendar: Calendar) -> Host {
    let mut host = Host::with(dialect, |options| {
        if let Some(redirect) = &mut options.network.redirect {
            redirect.tls_port = tls_port;
        }
        options.conditions.network_time = !matches!(calendar, Calendar::Untold);
        if let Calendar::Wrong(by) = calendar {
            options.conditions.clock_error_s = by;
        }
    });
    host.ok("ATE0");
    if let Calendar::Set(time) = calendar {
        host.ok(&format!("AT+CCLK=\"{time}\""));
    }
    host
}

/// Types files and settings of a context.
pub fn type_context(host: &mut Host, family: Family, number: u8, context: &Context) {
    let (command, level, sni) = match family {
        Family::Qmt => ("AT+QSSLCFG", "seclevel", "sni"),
        Family::Cmqtt => ("AT+CSSLCFG", "authmode", "enableSNI"),
    };
    for (key, wanted) in [("cacert", context.ca), ("clientcert", context.cert), ("clientkey", context.key)] {
        let Some(wanted) = wanted else { continue };
        let name = format!("{wanted}.pem");
        // A name without a file is one that the host forgot to upload.
        if wanted != "forgotten" {
            upload(host, family, &name, file(wanted));
        }
        let storage = if family == Family::Qmt { "UFS:" } else { "" };
        host.ok(&format!("{command}=\"{key}\",{number},\"{storage}{name}\""));
    }
    for (key, value) in [
        (level, context.level),
        (sni, u8::from(context.sni)),
        ("ignorelocaltime", u8::from(context.ignores_time)),
        ("sslversion", context.version),
    ] {
        host.ok(&format!("{command}=\"{key}\",{number},{value}"));
    }
    if let (Some(suite), Family::Qmt) = (context.suite, family) {
        host.ok(&format!("{command}=\"ciphersuite\",{number},{suite}"));
    }
}

/// Types one file.
pub fn upload(host: &mut Host, family: Family, name: &str, content: &[u8]) {
    let said = match family {
        Family::Qmt => host.run(&format!("AT+QFUPL=\"UFS:{name}\",{}", content.len())),
        Family::Cmqtt => host.run(&format!("AT+CCERTDOWN=\"{name}\",{}", content.len())),
    };
    assert!(said.ends_with("\r\nCONNECT\r\n") || said.ends_with("\r\n> "), "{name}: {said:?}");
    host.write(content);
    let end = host.until("\r\nOK\r\n");
    if family == Family::Qmt {
        assert!(end.contains(&format!("+QFUPL: {},", content.len())), "{name}: {end:?}");
    }
}

/// Opens client 0 through a context: OK first, then the result; whatever way it ends, the client is as it should be.
pub fn open(host: &mut Host, family: Family, context: u8, port: u16, ends: Ends) {
    let code = ends.code(family);
    match family {
        Family::Qmt => {
            host.ok(&format!("AT+QMTCFG=\"ssl\",0,1,{context}"));
            let said = host.ok(&format!("AT+QMTOPEN=0,\"{NAME}\",{port}"));
            assert_eq!("\r\nOK\r\n", said, "OK comes before the result");
            let said = host.until("\r\n+QMTOPEN: ") + &host.until("\r\n");
            assert_eq!(format!("\r\n+QMTOPEN: 0,{code}\r\n"), said);
            let listed = host.ok("AT+QMTOPEN?").contains("+QMTOPEN: 0,");
            assert_eq!(ends == Ends::Open, listed, "a failed open leaves the client closed");
        }
        Family::Cmqtt => {
            host.result("AT+CMQTTSTART", "+CMQTTSTART: 0");
            host.ok("AT+CMQTTACCQ=0,\"id\",1");
            host.ok(&format!("AT+CMQTTSSLCFG=0,{context}"));
            let said = host.ok(&format!("AT+CMQTTCONNECT=0,\"tcp://{NAME}:{port}\",60,1"));
            assert_eq!("\r\nOK\r\n", said, "OK comes before the result");
            let said = host.until("\r\n+CMQTTCONNECT: ") + &host.until("\r\n");
            assert_eq!(format!("\r\n+CMQTTCONNECT: 0,{code}\r\n"), said);
            let state = i32::from(ends != Ends::Open);
            let said = host.ok("AT+CMQTTDISC?");
            assert!(
                said.contains(&format!("+CMQTTDISC: 0,{state}")),
                "a failed connect leaves the client apart: {said:?}"
            );
        }
    }
}

/// The documents of Quectel's with TLS.
pub fn quectel() -> impl Iterator<Item = &'static str> {
    DIALECTS.into_iter().filter(|dialect| family(dialect) == Family::Qmt)
}

/// The files of the bench broker behind a module, and a context of level 2 that names them.
pub fn trust_bench(host: &mut Host, dialect: &str, context: u8) {
    let family = family(dialect);
    let certificates = host.broker.certificates().clone();
    let files = [
        ("cacert", "bench-ca.pem", certificates.ca_pem),
        ("clientcert", "bench-client.pem", certificates.client_cert_pem),
        ("clientkey", "bench-client.key", certificates.client_key_pem),
    ];
    let (command, level) = match family {
        Family::Qmt => ("AT+QSSLCFG", "seclevel"),
        Family::Cmqtt => ("AT+CSSLCFG", "authmode"),
    };
    for (key, name, content) in files {
        upload(host, family, name, content.as_bytes());
        host.ok(&format!("{command}=\"{key}\",{context},\"{name}\""));
    }
    host.ok(&format!("{command}=\"{level}\",{context},2"));
    host.ok(&format!("{command}=\"ignorelocaltime\",{context},0"));
}

/// Opens and connects a Quectel client by its TLS context 1.
pub fn connect_secured(host: &mut Host, client: u8, client_id: &str) {
    host.ok(&format!("AT+QMTCFG=\"ssl\",{client},1,1"));
    host.result(&format!("AT+QMTOPEN={client},\"broker.example\",8883"), &format!("+QMTOPEN: {client},0"));
    host.result(&format!("AT+QMTCONN={client},\"{client_id}\""), &format!("+QMTCONN: {client},0,0"));
}
