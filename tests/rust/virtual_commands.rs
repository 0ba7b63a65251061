//! The commands beside MQTT (decision 42) byte for byte, as a host finds them on the line. Their forms and ranges,
//! one by one, are in `virtual_surroundings`.

use modemrig::virtual_module::simulation::SimulatedModule;

use crate::simulated::everywhere;
use crate::simulated::is_quectel;

/// A line, and everything that is said to it.
type Row = (&'static str, &'static str);

const OK: &str = "\r\nOK\r\n";
const ERROR: &str = "\r\nERROR\r\n";

/// Decision 42 for everybody, by TS 27.007 and V.250, each line typed behind the one before.
const COMMON: &[Row] = &[
    ("AT", OK),
    ("AT+CMEE?", "\r\n+CMEE: 0\r\n\r\nOK\r\n"),
    ("AT+CMEE=?", "\r\n+CMEE: (0-2)\r\n\r\nOK\r\n"),
    ("AT+CMEE=3", ERROR),
    ("AT+CMEE=1", OK),
    ("AT+CMEE?", "\r\n+CMEE: 1\r\n\r\nOK\r\n"),
    ("AT&W", OK),
    ("AT+CMEE=0", OK),
    ("ATZ", OK),
    ("AT+CMEE?", "\r\n+CMEE: 1\r\n\r\nOK\r\n"),
    ("AT&F", "\r\nOK\r\n"),
    ("ATE0", "ATE0\r\r\nOK\r\n"),
    ("AT+CMEE?", "\r\n+CMEE: 0\r\n\r\nOK\r\n"),
    ("AT&W0", OK),
    ("ATZ0", OK),
    ("AT&F1", ERROR),
    ("ATZ1", ERROR),
    ("ATE2", ERROR),
    ("ATV0", "0\r"),
    ("AT+CMEE?", "+CMEE: 0\r\n0\r"),
    ("AT+XYZ", "4\r"),
    ("ATV1", OK),
    ("ATQ1", ""),
    ("AT", ""),
    ("AT+XYZ", ""),
    ("ATQ0", OK),
    ("ATE1", OK),
    ("AT", "AT\r\r\nOK\r\n"),
    ("ATE", "ATE\r\r\nOK\r\n"),
    ("AT", OK),
    ("at", OK),
    ("aT+cMeE?", "\r\n+CMEE: 0\r\n\r\nOK\r\n"),
    ("AT+CPIN?", "\r\n+CPIN: READY\r\n\r\nOK\r\n"),
    ("AT+CFUN?", "\r\n+CFUN: 1\r\n\r\nOK\r\n"),
    ("AT+CFUN=?", "\r\n+CFUN: (0,1,4),(0,1)\r\n\r\nOK\r\n"),
    ("AT+CFUN=2", ERROR),
    ("AT+CSQ", "\r\n+CSQ: 24,99\r\n\r\nOK\r\n"),
    ("AT+CREG?", "\r\n+CREG: 0,1\r\n\r\nOK\r\n"),
    ("AT+CGREG?", "\r\n+CGREG: 0,1\r\n\r\nOK\r\n"),
    ("AT+CREG=2", OK),
    ("AT+CREG?", "\r\n+CREG: 2,1,\"1A2B\",\"01C3D4E5\",7\r\n\r\nOK\r\n"),
    ("AT+CREG=3", ERROR),
    ("AT+CREG=0", OK),
    ("AT+CEREG=1", OK),
    ("AT+COPS?", "\r\n+COPS: 0,0,\"modemrig\",7\r\n\r\nOK\r\n"),
    ("AT+CGDCONT=1,\"IP\",\"a.apn\"", OK),
    ("AT+CGDCONT=3,\"ipv6\",\"six\"", OK),
    ("AT+CGDCONT=4,\"PPP\",\"x\"", ERROR),
    ("AT+CGDCONT?", "\r\n+CGDCONT: 1,\"IP\",\"a.apn\",\"\",0,0\r\n+CGDCONT: 3,\"IPV6\",\"six\",\"\",0,0\r\n\r\nOK\r\n"),
    ("AT+CGACT=1,3", OK),
    ("AT+CGACT?", "\r\n+CGACT: 1,0\r\n+CGACT: 3,1\r\n\r\nOK\r\n"),
    ("AT+CGPADDR=3", "\r\n+CGPADDR: 3,\"10.64.0.4\"\r\n\r\nOK\r\n"),
    ("AT+CGACT=0,3", OK),
    ("AT+CGDCONT=3", OK),
    ("AT+CGACT?", "\r\n+CGACT: 1,0\r\n\r\nOK\r\n"),
    ("AT+CGATT=0", OK),
    ("AT+CGATT?", "\r\n+CGATT: 0\r\n\r\nOK\r\n"),
    ("AT+CGACT=1,1", ERROR),
    ("AT+CGATT=1", OK),
    ("AT+CFUN=4", "\r\nOK\r\n\r\n+CEREG: 0\r\n"),
    ("AT+CSQ", "\r\n+CSQ: 99,99\r\n\r\nOK\r\n"),
    ("AT+COPS?", "\r\n+COPS: 0\r\n\r\nOK\r\n"),
    ("AT+CGATT?", "\r\n+CGATT: 0\r\n\r\nOK\r\n"),
    ("AT+CFUN=0;+CPIN?", ERROR),
    ("AT+CFUN=1", "\r\nOK\r\n\r\n+CEREG: 1\r\n"),
    ("AT+CEREG?", "\r\n+CEREG: 1,1\r\n\r\nOK\r\n"),
    ("AT+CCLK=\"nonsense\"", ERROR),
    ("AT+CCLK=\"26/13/01,00:00:00+00\"", ERROR),
    ("AT+CCLK=\"26/02/03,04:05:06+00\"", OK),
    ("AT+CCLK?", "\r\n+CCLK: \"26/02/03,04:05:06+00\"\r\n\r\nOK\r\n"),
    ("AT+IPR?", "\r\n+IPR: 115200\r\n\r\nOK\r\n"),
    ("AT+IPR=9600", OK),
    ("AT+IPR?", "\r\n+IPR: 9600\r\n\r\nOK\r\n"),
    ("AT+IPR=9601", ERROR),
    // V.250 5.2.1: basic commands stand side by side, an extended one ends with a semicolon.
    ("ATE0V1", OK),
    ("ATE0Q0+CMEE=2;+CMEE?", "\r\n+CMEE: 2\r\n\r\nOK\r\n"),
    ("AT+CMEE=0;E0;+CMEE?", "\r\n+CMEE: 0\r\n\r\nOK\r\n"),
    ("AT+CEREG=0;+XYZ;+CMEE=2", ERROR),
    ("AT+CMEE?", "\r\n+CMEE: 0\r\n\r\nOK\r\n"),
    ("AT+CEREG?", "\r\n+CEREG: 0,1\r\n\r\nOK\r\n"),
    ("AT+CMEE=1", OK),
    ("AT+CMEE=9;+CMEE=2", "\r\n+CME ERROR: 50\r\n"),
    (" AT +CMEE= 0 ; +CMEE?", "\r\n+CMEE: 0\r\n\r\nOK\r\n"),
];

const QUECTEL: &[Row] = &[
    ("AT+QICSGP=1,1,\"apn\",\"\",\"\",1", OK),
    ("AT+QICSGP=1", "\r\n+QICSGP: 1,\"apn\",\"\",\"\",1\r\n\r\nOK\r\n"),
    ("AT+QICSGP=0", ERROR),
    ("AT+QIACT=1", OK),
    ("AT+QIACT?", "\r\n+QIACT: 1,1,1,\"10.64.0.2\"\r\n\r\nOK\r\n"),
    ("AT+QIDEACT=1", OK),
    ("AT+QIACT?", OK),
    ("AT+QIACT=16", ERROR),
    ("AT+QLTS=3", ERROR),
    ("AT+QIDNSCFG=1,\"192.0.2.1\",\"192.0.2.2\"", OK),
    ("AT+QIDNSCFG=1", "\r\n+QIDNSCFG: 1,\"192.0.2.1\",\"192.0.2.2\"\r\n\r\nOK\r\n"),
    ("AT+QURCCFG=\"urcport\"", "\r\n+QURCCFG: \"urcport\",\"usbat\"\r\n\r\nOK\r\n"),
    ("AT+QURCCFG=\"urcport\",\"uart1\"", OK),
    ("AT+QURCCFG=\"urcport\"", "\r\n+QURCCFG: \"urcport\",\"uart1\"\r\n\r\nOK\r\n"),
    ("AT+QURCCFG=\"urcport\",\"moon\"", ERROR),
    ("AT+CICCID", ERROR),
    ("AT+CCERTLIST", ERROR),
];

const SIMCOM: &[Row] = &[
    ("AT+QICSGP=1", ERROR),
    ("AT+QCCID", ERROR),
    ("AT+QPOWD", ERROR),
    ("AT+CSSLCFG=\"authmode\",0,2", OK),
    ("AT+CSSLCFG=\"authmode\",0,3", ERROR),
    ("AT+CSSLCFG=\"authmode\",2,0", ERROR),
    ("AT+CSSLCFG=\"seclevel\",0,0", ERROR),
    ("AT+CCERTLIST", OK),
    ("AT+CCERTDELE=\"none.pem\"", ERROR),
];

#[test]
fn decision_42_commands_beside_mqtt_are_answered_byte_for_byte() {
    everywhere(|dialect, module| {
        let own = if is_quectel(dialect) { QUECTEL } else { SIMCOM };
        for (line, said) in COMMON.iter().chain(own) {
            assert_eq!(*said, module.ask(line, 0.1), "{} {line}", dialect.id);
        }
    });
}

#[test]
fn decision_42_identity_is_said_by_every_name() {
    everywhere(|dialect, module| {
        let said = |module: &mut SimulatedModule, line: &str| {
            let said = module.ask(line, 0.1);
            let text = said.strip_prefix("\r\n").and_then(|rest| rest.strip_suffix("\r\n\r\nOK\r\n"));
            text.unwrap_or_else(|| panic!("{} {line}: {said:?}", dialect.id)).to_owned()
        };
        let about = said(module, "ATI");
        for (name, other) in [("AT+CGMI", "AT+GMI"), ("AT+CGMM", "AT+GMM"), ("AT+CGMR", "AT+GMR")] {
            let value = said(module, name);
            assert!(about.contains(&value), "{} {name}: {value:?} is not in {about:?}", dialect.id);
            assert_eq!(value, said(module, other));
        }
        let imei = said(module, "AT+CGSN");
        assert_eq!((15, imei.clone()), (imei.len(), said(module, "AT+GSN")));
        assert_eq!(format!("+CGSN: \"{imei}\""), said(module, "AT+CGSN=1"), "TS 27.007 5.4");
        assert!(said(module, "AT+CGSN=2").starts_with(&format!("+CGSN: \"{}", &imei[..14])));
        let imsi = said(module, "AT+CIMI");
        assert!(imsi.len() == 15 && imsi.bytes().all(|byte| byte.is_ascii_digit()), "{imsi}");
        let card = if is_quectel(dialect) { "AT+QCCID" } else { "AT+CICCID" };
        assert!(said(module, card).contains("ICCID: 8986") || said(module, card).contains("QCCID: 8986"));
    });
}

/// Cut anywhere, with CR or CR LF, a line is the same line (F16).
#[test]
fn a_command_line_may_come_in_any_pieces() {
    let line = b"AT+CEREG=2;+CEREG?;E0V1\r";
    everywhere(|dialect, module| {
        module.host(line);
        let expected = module.after(0.1);
        assert!(expected.contains("+CEREG: 2,1,\""), "{expected:?}");
        for cut in 0..=line.len() {
            for end in [&b""[..], b"\n"] {
                module.host(&line[..cut]);
                assert!(module.after(3.0).is_empty() || cut == line.len(), "{} at {cut}", dialect.id);
                module.host(&line[cut..]);
                module.host(end);
                let late = module.after(0.1);
                assert!(late == expected || cut == line.len() && late.is_empty(), "{} at {cut}: {late:?}", dialect.id);
            }
        }
    });
}
