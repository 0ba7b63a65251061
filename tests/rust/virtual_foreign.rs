//! Commands outside the catalogue, decision 42 and the active profile get ERROR, and change nothing.

use std::collections::BTreeSet;

use modemrig::dialect::catalogue;
use modemrig::dialect::schema::Form;
use modemrig::virtual_module::simulation::SimulatedModule;

use crate::simulated::fits;
use crate::simulated::module;
use crate::simulated::said;

/// Commands of real modules that no virtual one has.
const FOREIGN: &[&str] = &[
    "QIOPEN",
    "QISEND",
    "QIRD",
    "QICLOSE",
    "QISTATE",
    "QPING",
    "QNTP",
    "QHTTPCFG",
    "QHTTPURL",
    "QHTTPGET",
    "QHTTPPOST",
    "QFTPOPEN",
    "QFTPCFG",
    "QSSLOPEN",
    "QSSLSEND",
    "QSSLRECV",
    "QGPS",
    "QGPSLOC",
    "QGPSEND",
    "QCFG",
    "QNWINFO",
    "QENG",
    "QCSQ",
    "QSPN",
    "QSCLK",
    "QADC",
    "QTEMP",
    "QFOTADL",
    "QPRTPARA",
    "QFOPEN",
    "QFREAD",
    "QFWRITE",
    "QFCLOSE",
    "QLWM2M",
    "CMGF",
    "CMGS",
    "CMGR",
    "CMGL",
    "CMGD",
    "CNMI",
    "CSCA",
    "CPMS",
    "CPBR",
    "CPBW",
    "CLCC",
    "CLIP",
    "CCFC",
    "CHLD",
    "VTS",
    "CPWD",
    "CLCK",
    "CRSM",
    "CSIM",
    "CPAS",
    "CBC",
    "CGEREP",
    "CGQREQ",
    "CPSMS",
    "CEDRXS",
    "CSCLK",
    "CIPSTART",
    "CIPSEND",
    "CIPCLOSE",
    "CIPSHUT",
    "CIICR",
    "CIFSR",
    "HTTPINIT",
    "HTTPPARA",
    "HTTPACTION",
    "NETOPEN",
    "NETCLOSE",
    "CDNSGIP",
    "CNTP",
    "NSOCR",
    "NSOST",
    "NSORF",
    "NCONFIG",
    "NUESTATS",
    "NRB",
    "NBAND",
    "NPING",
    "NCDP",
    "NMGS",
    "SQNSCFG",
    "UMQTT",
    "MIPOPEN",
];

/// What a module knows of itself, as far as it can be asked.
fn everything(module: &mut SimulatedModule, dialect: &modemrig::dialect::Dialect) -> Vec<String> {
    let mut answers = Vec::new();
    for (name, command) in dialect.commands.iter().chain(&dialect.surroundings) {
        // The clock goes on by itself.
        if command.forms.contains(&Form::Read) && name != "AT+CCLK" {
            answers.push(format!("{name}? {}", said(module, &format!("{name}?"))));
        }
        for (key, variant) in &command.variants {
            if let (Some(key), true) = (&variant.key, variant.query.is_some() && !key.is_empty()) {
                answers.push(format!("{key} {}", said(module, &format!("{name}=\"{key}\",0"))));
            }
        }
    }
    answers
}

#[test]
fn two_hundred_commands_that_nobody_catalogued_get_error_and_change_nothing() {
    for dialect in catalogue().dialects() {
        // Those of other makers, and those one letter away from what the module knows.
        let own = dialect.commands.keys().chain(dialect.surroundings.keys()).filter(|name| name.starts_with("AT+"));
        let near =
            own.flat_map(|name| [format!("{name}Q"), name[..name.len() - 1].to_owned(), name.replace("AT+", "AT+X")]);
        let far = FOREIGN.iter().map(|name| format!("AT+{name}"));
        let numbered = (0..200).map(|number| format!("AT+N{number}"));
        let names: BTreeSet<String> = far
            .chain(near)
            .chain(numbered)
            .filter(|name| dialect.entry(&name[2..]).is_none() && name.len() > 4)
            .collect();
        assert!(names.len() >= 300, "{}: {}", dialect.id, names.len());
        for (errors, expected) in
            [("0", "ERROR"), ("1", if dialect.id == "bc35g_bc28" { "+CME ERROR: 4" } else { "*ERROR*" })]
        {
            let mut module = module(&dialect.id);
            said(&mut module, &format!("AT+CMEE={errors}"));
            let before = everything(&mut module, dialect);
            assert!(before.len() > 8, "{}: {before:?}", dialect.id);
            for name in &names {
                for line in [name.clone(), format!("{name}?"), format!("{name}=?"), format!("{name}=1,\"a\"")] {
                    let answer = said(&mut module, &line);
                    assert!(fits(expected, &answer), "{} with CMEE {errors}: {line} -> {answer:?}", dialect.id);
                }
            }
            assert_eq!(before, everything(&mut module, dialect), "{}", dialect.id);
            assert_eq!(0, module.network().broker.record().len());
        }
    }
}
