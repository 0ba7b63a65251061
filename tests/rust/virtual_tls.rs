//! TLS of virtual modules: a server, the module's files and settings, and the code the open ends with (decisions 19, 25
//! and 39), for every document that has TLS. Everything is typed at the module as a host types it.

use modemrig::dialect::schema::Family;

use crate::tls_host::CHAIN;
use crate::tls_host::Calendar;
use crate::tls_host::Context;
use crate::tls_host::DIALECTS;
use crate::tls_host::Ends;
use crate::tls_host::MUTUAL;
use crate::tls_host::PLAIN;
use crate::tls_host::family;
use crate::tls_host::host_to;
use crate::tls_host::open;
use crate::tls_host::type_context;
use crate::tls_servers::Foreign;
use crate::tls_servers::NAME;
use crate::tls_servers::Peer;
use crate::tls_servers::Shows;
use crate::tls_servers::TlsServer;
use crate::virtual_host::Host;

const RSA_CHAIN: Context = Context { ca: Some("rsa-ca"), ..CHAIN };

const YEAR: i64 = 31_557_600;

const GOOD: Shows = Shows::GOOD;
const RSA: Shows = Shows { cert: "rsa2048", key: "rsa2048.key", ..GOOD };
const ASKS: Shows = Shows { client_ca: Some("ca"), ..GOOD };
const REQUIRES: Shows = Shows { requires: true, ..ASKS };
const REQUIRES_RSA: Shows = Shows { client_ca: Some("rsa-ca"), requires: true, ..GOOD };

/// One row: what the server shows, what the module is told, how it ends.
type Row = (&'static str, Shows, Context, Ends);

/// Every row on every dialect with TLS that can say it.
fn check(rows: &[Row]) {
    for (name, shows, context, ends) in rows {
        let server = TlsServer::start(shows);
        for dialect in DIALECTS {
            let family = family(dialect);
            if context.suite.is_some() && family == Family::Cmqtt {
                continue;
            }
            eprintln!("{name} on {dialect}");
            let mut host = host_to(dialect, server.port, context.calendar);
            type_context(&mut host, family, 1, context);
            open(&mut host, family, 1, 8883, *ends);
            match ends {
                Ends::Open => {
                    let seen = server.next().expect("the server agrees that it is open");
                    assert_eq!(context.sni.then(|| NAME.to_owned()), seen.sni);
                    assert_eq!(context.level == 2 && shows.client_ca.is_some(), seen.certified);
                    if let Some(wanted) = context.suite.filter(|suite| !suite.eq_ignore_ascii_case("0XFFFF")) {
                        assert_eq!(wanted.to_ascii_uppercase(), format!("0X{:04X}", seen.suite));
                    }
                }
                Ends::Tls => {
                    let reason = server.next().expect_err("the server was asked, and there is no agreement");
                    eprintln!("  the server says: {reason}");
                }
                Ends::NoFile | Ends::BadFile => assert!(!server.was_asked(), "nobody is asked with such files"),
            }
        }
    }
}

#[test]
fn decision_39_level_0_checks_nothing_1_the_chain_and_2_shows_a_certificate() {
    check(&[
        ("level 0, stranger", GOOD, PLAIN, Ends::Open),
        ("level 0, expired", Shows { cert: "server-expired", key: "server-expired.key", ..GOOD }, PLAIN, Ends::Open),
        ("level 0, calendar of 1980", GOOD, Context { calendar: Calendar::Untold, ..PLAIN }, Ends::Open),
        ("level 0 ignores the files it names", GOOD, Context { ca: Some("forgotten"), ..PLAIN }, Ends::Open),
        ("level 1", GOOD, CHAIN, Ends::Open),
        ("level 1, several authorities", GOOD, Context { ca: Some("both-cas"), ..CHAIN }, Ends::Open),
        ("level 1, authority as DER", GOOD, Context { ca: Some("ca.der"), ..CHAIN }, Ends::Open),
        ("level 1, wrong authority", GOOD, Context { ca: Some("other-ca"), ..CHAIN }, Ends::Tls),
        ("level 1, asked for a certificate", ASKS, CHAIN, Ends::Open),
        ("level 2, not asked", GOOD, MUTUAL, Ends::Open),
        ("level 2, asked", ASKS, MUTUAL, Ends::Open),
        ("level 2, required", REQUIRES, MUTUAL, Ends::Open),
        ("level 2, wrong authority", REQUIRES, Context { ca: Some("other-ca"), ..MUTUAL }, Ends::Tls),
    ]);
}

#[test]
fn research_5_3_what_becomes_of_unusual_server_certificates() {
    let no_name = Shows { cert: "server-no-name", key: "server-no-name.key", ..GOOD };
    let self_signed = Shows { cert: "self-signed", key: "self-signed.key", ..GOOD };
    let own = Context { ca: Some("self-signed"), ..CHAIN };
    let sha1 = Shows { cert: "sha1", ..RSA };
    let v1 = Shows { cert: "v1", ..RSA };
    check(&[
        ("no name in it, level 1", no_name, CHAIN, Ends::Open),
        ("self-signed, level 0", self_signed, PLAIN, Ends::Open),
        ("self-signed, itself as authority", self_signed, own, Ends::Open),
        ("self-signed, another authority", self_signed, CHAIN, Ends::Tls),
        ("SHA-1, level 0", sha1, PLAIN, Ends::Open),
        ("SHA-1, level 1", sha1, RSA_CHAIN, Ends::Tls),
        // A limit: real modules take it at level 0 at least.
        ("X.509 version 1, level 0", v1, PLAIN, Ends::Tls),
        ("X.509 version 1, level 1", v1, RSA_CHAIN, Ends::Tls),
    ]);
}

#[test]
fn certificates_are_judged_by_the_module_s_own_calendar() {
    let expired = Shows { cert: "server-expired", key: "server-expired.key", ..GOOD };
    let future = Shows { cert: "server-future", key: "server-future.key", ..GOOD };
    let blind = Context { ignores_time: true, ..CHAIN };
    // No calendar shows less than 1970.
    let stuck = Context { calendar: Calendar::Wrong(-100 * YEAR), ..CHAIN };
    let ahead = Context { calendar: Calendar::Wrong(90 * YEAR), ..CHAIN };
    let at = |time| Context { calendar: Calendar::Set(time), ..CHAIN };
    check(&[
        ("expired", expired, CHAIN, Ends::Tls),
        ("expired, time ignored", expired, blind, Ends::Open),
        ("expired, calendar set back", expired, at("20/06/01,12:00:00+00"), Ends::Open),
        ("not valid yet", future, CHAIN, Ends::Tls),
        ("not valid yet, time ignored", future, blind, Ends::Open),
        ("1980, nobody told the time", GOOD, Context { calendar: Calendar::Untold, ..CHAIN }, Ends::Tls),
        ("1980, time ignored", GOOD, Context { calendar: Calendar::Untold, ..blind }, Ends::Open),
        (
            "1980, wrong authority",
            GOOD,
            Context { calendar: Calendar::Untold, ca: Some("other-ca"), ..blind },
            Ends::Tls,
        ),
        ("1980, mutual", REQUIRES, Context { calendar: Calendar::Untold, ..MUTUAL }, Ends::Tls),
        ("1970", GOOD, stuck, Ends::Tls),
        ("1970, time ignored", GOOD, Context { ignores_time: true, ..stuck }, Ends::Open),
        ("a calendar that is far ahead", GOOD, ahead, Ends::Tls),
        ("calendar before the certificate", GOOD, at("19/12/31,23:00:00+00"), Ends::Tls),
        ("calendar on its first day", GOOD, at("20/01/02,00:00:00+00"), Ends::Open),
    ]);
}

#[test]
fn files_that_are_missing_or_hold_nothing_usable_end_the_open_before_anybody_is_asked() {
    let with = |ca, cert, key| Context { ca, cert, key, ..MUTUAL };
    let (ca, cert, key) = (Some("ca"), Some("client"), Some("client.key"));
    let rsa = Some("rsa2048");
    let mut rows: Vec<Row> = vec![
        ("level 1, no authority named", GOOD, Context { ca: None, ..CHAIN }, Ends::NoFile),
        ("level 1, authority forgotten", GOOD, Context { ca: Some("forgotten"), ..CHAIN }, Ends::NoFile),
        ("level 1, old version, authority forgotten", GOOD, Context { ca: None, version: 1, ..CHAIN }, Ends::NoFile),
    ];
    for (name, context, ends) in [
        ("authority forgotten", with(Some("forgotten"), cert, key), Ends::NoFile),
        ("no certificate named", with(ca, None, key), Ends::NoFile),
        ("certificate forgotten", with(ca, Some("forgotten"), key), Ends::NoFile),
        ("no key named", with(ca, cert, None), Ends::NoFile),
        ("key forgotten", with(ca, cert, Some("forgotten")), Ends::NoFile),
        ("authority truncated", with(Some("ca.cut"), cert, key), Ends::BadFile),
        ("authority is rubbish", with(Some("rubbish"), cert, key), Ends::BadFile),
        ("authority is a key", with(key, cert, key), Ends::BadFile),
        ("certificate truncated", with(ca, Some("client.cut"), key), Ends::BadFile),
        ("certificate is rubbish", with(ca, Some("rubbish"), key), Ends::BadFile),
        ("key truncated", with(ca, cert, Some("client.key.cut")), Ends::BadFile),
        ("key is rubbish", with(ca, cert, Some("rubbish")), Ends::BadFile),
        ("certificate and key swapped", with(ca, key, cert), Ends::BadFile),
        ("key of another certificate", with(ca, cert, Some("other-client.key")), Ends::BadFile),
        ("key of another kind", with(ca, cert, Some("rsa2048.key")), Ends::BadFile),
        ("key encrypted, PKCS#8", with(ca, rsa, Some("rsa2048.encrypted.key")), Ends::BadFile),
        ("key encrypted, the old way", with(ca, rsa, Some("rsa2048.proc-type.key")), Ends::BadFile),
        // Limits: real modules take such keys.
        ("key of P-521", with(ca, Some("p521"), Some("p521.key")), Ends::BadFile),
        ("key of RSA 1024", with(ca, Some("rsa1024"), Some("rsa1024.key")), Ends::BadFile),
    ] {
        rows.push((name, REQUIRES, context, ends));
    }
    check(&rows);
}

#[test]
fn client_certificates_end_as_the_broker_likes_them() {
    let own = |cert, key| Context { cert: Some(cert), key: Some(key), ..MUTUAL };
    check(&[
        ("required, level 0", REQUIRES, PLAIN, Ends::Tls),
        ("required, level 1", REQUIRES, CHAIN, Ends::Tls),
        ("of a stranger", REQUIRES, own("other-client", "other-client.key"), Ends::Tls),
        ("of a stranger, only asked", ASKS, own("other-client", "other-client.key"), Ends::Tls),
        ("expired", REQUIRES, own("client-expired", "client-expired.key"), Ends::Tls),
        ("RSA, PKCS#8", REQUIRES_RSA, own("rsa2048", "rsa2048.key"), Ends::Open),
        ("RSA, PKCS#1", REQUIRES_RSA, own("rsa2048", "rsa2048.pkcs1.key"), Ends::Open),
        ("P-256, SEC1", REQUIRES_RSA, own("p256", "p256.sec1.key"), Ends::Open),
        ("X.509 version 1", REQUIRES_RSA, own("v1", "rsa2048.key"), Ends::BadFile),
    ]);
}

#[test]
fn the_server_s_name_is_sent_if_asked_for_and_an_old_version_is_asked_for_and_fails() {
    let sni = Context { sni: true, ..CHAIN };
    let version = |version| Context { version, ..CHAIN };
    let tls13 = Shows { version: &rustls::version::TLS13, ..GOOD };
    check(&[
        ("name not sent", GOOD, CHAIN, Ends::Open),
        ("name sent", GOOD, sni, Ends::Open),
        ("name sent, mutual", REQUIRES, Context { sni: true, ..MUTUAL }, Ends::Open),
        ("SSL 3.0", GOOD, version(0), Ends::Tls),
        ("TLS 1.0", GOOD, version(1), Ends::Tls),
        ("TLS 1.1", GOOD, version(2), Ends::Tls),
        ("TLS 1.2", GOOD, version(3), Ends::Open),
        ("all", GOOD, version(4), Ends::Open),
        // A limit: TLS 1.3 is not offered.
        ("all, but the server has TLS 1.3 only", tls13, version(4), Ends::Tls),
    ]);
}

#[test]
fn a_cipher_suite_is_the_only_one_offered() {
    const C02B: &[u16] = &[0xc02b];
    const C02F: &[u16] = &[0xc02f];
    let suite = |suite, of: Context| Context { suite: Some(suite), ..of };
    check(&[
        ("all", GOOD, suite("0xFFFF", CHAIN), Ends::Open),
        ("C02B of all", GOOD, suite("0XC02B", CHAIN), Ends::Open),
        ("C02F of all, RSA", RSA, suite("0XC02F", RSA_CHAIN), Ends::Open),
        ("C030 of all, RSA, small letters", RSA, suite("0xc030", RSA_CHAIN), Ends::Open),
        ("C02F of C02F", Shows { suites: C02F, ..RSA }, suite("0XC02F", RSA_CHAIN), Ends::Open),
        ("C030 of C02F", Shows { suites: C02F, ..RSA }, suite("0XC030", RSA_CHAIN), Ends::Tls),
        ("C02F, but the key is P-256", Shows { suites: C02B, ..GOOD }, suite("0XC02F", CHAIN), Ends::Tls),
        // Limits: these are offered in earnest, but the module would not know how to go on.
        ("0035", RSA, suite("0X0035", RSA_CHAIN), Ends::Tls),
        ("C013", RSA, suite("0XC013", RSA_CHAIN), Ends::Tls),
        ("C014, level 0", RSA, suite("0XC014", PLAIN), Ends::Tls),
        ("C014, level 0, TLS 1.1", RSA, Context { version: 2, ..suite("0XC014", PLAIN) }, Ends::Tls),
    ]);
}

/// The broker is asked in earnest: it understands the hello, and has no such suite.
#[test]
fn a_suite_that_a_virtual_module_cannot_speak_is_offered_to_the_broker_all_the_same() {
    let server = TlsServer::start(&RSA);
    for suite in ["0X0035", "0X003D", "0XC013", "0XC027"] {
        let mut host = host_to("lte_standard_a", server.port, Calendar::Told);
        type_context(&mut host, Family::Qmt, 0, &Context { suite: Some(suite), ..PLAIN });
        open(&mut host, Family::Qmt, 0, 8883, Ends::Tls);
        assert_eq!(Err("peer is incompatible: NoCipherSuitesInCommon".to_owned()), server.next(), "{suite}");
    }
}

/// Decision 42: the numbers of the test form are accepted, in either case, quoted or not; nothing else is.
#[test]
fn an_unknown_cipher_suite_is_an_error_and_every_listed_one_is_kept() {
    for dialect in DIALECTS.into_iter().filter(|dialect| *dialect != "sim7028") {
        let mut host = Host::on(dialect);
        let listed = host.ok("AT+QSSLCFG=?");
        let listed = listed.split("\"ciphersuite\",(0-5),(").nth(1).and_then(|rest| rest.split(')').next());
        let listed: Vec<&str> = listed.expect("it is listed").split(',').collect();
        assert_eq!(34, listed.len());
        for suite in listed {
            host.ok(&format!("AT+QSSLCFG=\"ciphersuite\",5,{suite}"));
            host.ok(&format!("AT+QSSLCFG=\"ciphersuite\",5,\"{}\"", suite.to_ascii_lowercase()));
            let said = host.ok("AT+QSSLCFG=\"ciphersuite\",5").to_ascii_uppercase();
            assert!(said.contains(&format!("+QSSLCFG: \"CIPHERSUITE\",5,{suite}\r\n")), "{said:?}");
        }
        for wrong in ["0X1234", "0X1301", "0xFFFE", "53", "0035", "0XC02", "0XC0300", "\"\"", "all"] {
            host.refused(&format!("AT+QSSLCFG=\"ciphersuite\",5,{wrong}"));
        }
        for wrong in
            ["\"sslversion\",5,5", "\"seclevel\",5,3", "\"sni\",5,2", "\"seclevel\",6,0", "\"ignorelocaltime\",5,2"]
        {
            host.refused(&format!("AT+QSSLCFG={wrong}"));
        }
    }
    let mut host = Host::on("sim7028");
    for wrong in
        ["\"sslversion\",1,5", "\"authmode\",1,3", "\"enableSNI\",1,2", "\"authmode\",2,0", "\"ciphersuite\",1,0XC02F"]
    {
        host.refused(&format!("AT+CSSLCFG={wrong}"));
    }
}

/// A server by other authors that agrees to what a virtual module cannot: the open fails all the same (5.2, 5.3).
#[test]
fn openssl_servers_that_would_take_what_we_cannot_see_the_open_fail() {
    const OLD: &[&str] = &["-cipher", "ALL:@SECLEVEL=0"];
    let version = |version| Context { version, ..PLAIN };
    let suite = |suite| Context { suite: Some(suite), ..PLAIN };
    let rows: [(&str, &str, &str, Vec<&str>, Context); 8] = [
        ("TLS 1.0 spoken", "rsa2048", "rsa2048.key", [OLD, &["-tls1"]].concat(), version(1)),
        ("TLS 1.1 spoken", "rsa2048", "rsa2048.key", [OLD, &["-tls1_1"]].concat(), version(2)),
        ("TLS 1.1 only", "rsa2048", "rsa2048.key", [OLD, &["-tls1_1"]].concat(), version(4)),
        ("0035 spoken", "rsa2048", "rsa2048.key", vec!["-tls1_2", "-cipher", "AES256-SHA"], suite("0X0035")),
        ("C013 spoken", "rsa2048", "rsa2048.key", vec!["-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA"], suite("0XC013")),
        ("C014 only", "rsa2048", "rsa2048.key", vec!["-tls1_2", "-cipher", "ECDHE-RSA-AES256-SHA"], PLAIN),
        ("RSA 1024, level 0", "rsa1024", "rsa1024.key", [OLD, &["-tls1_2"]].concat(), PLAIN),
        ("P-521, level 0", "p521", "p521.key", vec!["-tls1_2"], PLAIN),
    ];
    for (name, cert, key, options, context) in rows {
        let Some(server) = Foreign::openssl(cert, key, &options) else {
            return eprintln!("skipped: openssl is not installed");
        };
        for dialect in DIALECTS {
            let family = family(dialect);
            if context.suite.is_some() && family == Family::Cmqtt {
                continue;
            }
            eprintln!("{name} on {dialect}");
            let mut host = host_to(dialect, server.port, context.calendar);
            type_context(&mut host, family, 0, &context);
            open(&mut host, family, 0, 8883, Ends::Tls);
        }
    }
}

/// The same ends with a broker by other authors.
#[test]
fn mosquitto_s_tls_ends_as_the_bench_s_does() {
    let rows: [(&str, &[&str], Context, Ends); 11] = [
        ("nothing checked", &[], PLAIN, Ends::Open),
        ("chain", &[], CHAIN, Ends::Open),
        ("wrong authority", &[], Context { ca: Some("other-ca"), ..CHAIN }, Ends::Tls),
        ("mutual", &["require_certificate true"], MUTUAL, Ends::Open),
        ("certificate required", &["require_certificate true"], CHAIN, Ends::Tls),
        (
            "stranger's certificate",
            &["require_certificate true"],
            Context { cert: Some("other-client"), key: Some("other-client.key"), ..MUTUAL },
            Ends::Tls,
        ),
        ("SSL 3.0", &[], Context { version: 0, ..PLAIN }, Ends::Tls),
        ("TLS 1.0", &[], Context { version: 1, ..PLAIN }, Ends::Tls),
        ("TLS 1.1", &[], Context { version: 2, ..PLAIN }, Ends::Tls),
        ("TLS 1.3 only", &["tls_version tlsv1.3"], PLAIN, Ends::Tls),
        ("1980", &[], Context { calendar: Calendar::Untold, ..CHAIN }, Ends::Tls),
    ];
    for (name, lines, context, ends) in rows {
        let Some(broker) = Foreign::mosquitto("server", "server.key", "ca", lines) else {
            return eprintln!("skipped: mosquitto is not installed");
        };
        for dialect in DIALECTS {
            let family = family(dialect);
            eprintln!("{name} on {dialect}");
            let mut host = host_to(dialect, broker.port, context.calendar);
            type_context(&mut host, family, 1, &context);
            open(&mut host, family, 1, 8883, ends);
        }
    }
}

/// Decision 39: no level checks the host name; a named option does, at the levels that check anything.
#[test]
fn the_host_name_is_checked_where_that_is_asked_for() {
    let unnamed = Shows { cert: "server-no-name", key: "server-no-name.key", ..GOOD };
    for (shows, context, ends) in [
        (GOOD, CHAIN, Ends::Open),
        (unnamed, CHAIN, Ends::Tls),
        (unnamed, PLAIN, Ends::Open),
        (Shows { client_ca: Some("ca"), ..unnamed }, MUTUAL, Ends::Tls),
    ] {
        let server = TlsServer::start(&shows);
        for dialect in DIALECTS {
            let mut host = Host::with(dialect, |options| {
                options.network.redirect.as_mut().expect("a broker").tls_port = server.port;
                options.quirks = vec!["tls_checks_host_name".to_owned()];
            });
            host.ok("ATE0");
            type_context(&mut host, family(dialect), 0, &context);
            open(&mut host, family(dialect), 0, 8883, ends);
        }
    }
}

/// Whoever answers, but not as TLS does, makes TLS fail.
#[test]
fn a_peer_that_speaks_no_tls_is_a_tls_failure() {
    /// A record of a ServerHello that ends too soon.
    const HALF_A_HELLO: &[u8] = &[22, 3, 3, 0, 74, 2, 0, 0, 70, 3, 3, 1, 2, 3];
    for said in [&b""[..], b"220 mail.example ESMTP\r\n", &[0x20, 2, 0, 0], HALF_A_HELLO, &[21, 3, 3, 0, 2, 2, 40]] {
        let peer = Peer::saying(said);
        for dialect in DIALECTS {
            for version in [1, 4] {
                let mut host = host_to(dialect, peer.port(), Calendar::Told);
                type_context(&mut host, family(dialect), 0, &Context { version, ..PLAIN });
                open(&mut host, family(dialect), 0, 8883, Ends::Tls);
            }
        }
    }
}
