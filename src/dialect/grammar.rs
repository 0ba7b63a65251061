//! What the protocol core is told of the two command sets: prefixes, shapes, prompts, counted bodies, noise.
//!
//! It is code, not catalogue data, because it holds for every module of a family, documented or not: the field's
//! departures (`FIELD` rules F1 to F24) are in it, and a port must be readable before its dialect is known.

use std::sync::LazyLock;

use crate::dialect::schema::Family;
use crate::proto::Grammar;
use crate::proto::Op;
use crate::proto::grammar::CommandRule;
use crate::proto::grammar::InputRule;
use crate::proto::grammar::LineKind;
use crate::proto::grammar::LineRule;
use crate::proto::grammar::ReadRule;
use crate::proto::grammar::Setting;
use crate::proto::grammar::SettingRule;
use crate::proto::grammar::Shape;
use crate::proto::grammar::WordKind;
use crate::proto::grammar::WordRule;

static QMT: LazyLock<Grammar> = LazyLock::new(|| build(true, false));
static CMQTT: LazyLock<Grammar> = LazyLock::new(|| build(false, true));
static ANY: LazyLock<Grammar> = LazyLock::new(|| build(true, true));

/// The grammar of one family.
pub fn grammar(family: Family) -> &'static Grammar {
    match family {
        Family::Qmt => &QMT,
        Family::Cmqtt => &CMQTT,
    }
}

/// Both families at once; their prefixes are disjoint. For a port whose dialect is not known yet.
pub fn any() -> &'static Grammar {
    &ANY
}

fn build(qmt: bool, cmqtt: bool) -> Grammar {
    let mut rules = common_lines();
    let mut commands = common_commands();
    if qmt {
        rules.extend(qmt_lines());
        commands.extend(qmt_commands());
    }
    if cmqtt {
        rules.extend(cmqtt_lines());
        commands.extend(cmqtt_commands());
    }
    Grammar::new(rules, words(), commands, settings())
}

fn line(name: &'static str, kind: LineKind) -> LineRule {
    LineRule { name, kind }
}

fn result(name: &'static str, op: Op, shape: Shape) -> LineRule {
    line(name, LineKind::Result { op, shape })
}

fn qmt_lines() -> Vec<LineRule> {
    vec![
        result("+QMTOPEN", Op::Open, Shape::ClientCode),
        result("+QMTCLOSE", Op::Close, Shape::ClientCode),
        result("+QMTCONN", Op::Connect, Shape::ClientCodeNotice),
        result("+QMTDISC", Op::Disconnect, Shape::ClientCode),
        result("+QMTSUB", Op::Subscribe, Shape::ClientMsgid),
        result("+QMTUNS", Op::Unsubscribe, Shape::ClientMsgid),
        // BG95 answers QMTPUBEX under the name QMTPUB; both complete a publish.
        result("+QMTPUB", Op::Publish, Shape::ClientMsgid),
        result("+QMTPUBEX", Op::Publish, Shape::ClientMsgid),
        // The password behind the code is read with the read form.
        result("+QMTTENAUTH", Op::Token, Shape::Code),
        line("+QMTPUBREL", LineKind::Retry(Op::Publish)),
        line("+QMTPUBREC", LineKind::Retry(Op::Publish)),
        line("+QMTSTAT", LineKind::Lost),
        line("+QMTPING", LineKind::Ping),
        line("+QMTRECV", LineKind::Message),
    ]
}

fn cmqtt_lines() -> Vec<LineRule> {
    vec![
        result("+CMQTTSTART", Op::Start, Shape::Code),
        result("+CMQTTSTOP", Op::Stop, Shape::Code),
        result("+CMQTTACCQ", Op::Acquire, Shape::ClientCode),
        result("+CMQTTREL", Op::Release, Shape::ClientCode),
        result("+CMQTTTOPIC", Op::Input, Shape::ClientCode),
        result("+CMQTTPAYLOAD", Op::Input, Shape::ClientCode),
        result("+CMQTTWILLTOPIC", Op::Input, Shape::ClientCode),
        result("+CMQTTWILLMSG", Op::Input, Shape::ClientCode),
        result("+CMQTTCONNECT", Op::Connect, Shape::ClientCode),
        result("+CMQTTDISC", Op::Disconnect, Shape::ClientCode),
        result("+CMQTTPUB", Op::Publish, Shape::ClientCode),
        result("+CMQTTSUB", Op::Subscribe, Shape::ClientCode),
        // A76xx and SIM7028 answer CMQTTSUB under the name of the staging command.
        result("+CMQTTSUBTOPIC", Op::Subscribe, Shape::ClientCode),
        result("+CMQTTUNSUB", Op::Unsubscribe, Shape::ClientCode),
        result("+CMQTTUNSUBTOPIC", Op::Unsubscribe, Shape::ClientCode),
        line("+CMQTTCONNLOST", LineKind::Lost),
        line("+CMQTTNONET", LineKind::BearerLost("")),
        line("+CMQTTRXSTART", LineKind::BlockStart),
        line("+CMQTTRXTOPIC", LineKind::BlockTopic),
        line("+CMQTTRXPAYLOAD", LineKind::BlockPayload),
        line("+CMQTTRXEND", LineKind::BlockEnd),
    ]
}

fn common_lines() -> Vec<LineRule> {
    let mut rules = vec![
        line("+QIURC", LineKind::BearerLost("\"pdpdeact\"")),
        line("*ATREADY", LineKind::Restarted),
        line("+CREG", LineKind::Registration),
        line("+CGREG", LineKind::Registration),
        line("+CEREG", LineKind::Registration),
        line("+C5GREG", LineKind::Registration),
    ];
    let noise = [
        "+CPIN",
        "+QIND",
        "+QUSIM",
        "+CFUN",
        "+SIMCARD",
        "*ISIMAID",
        "+CTZV",
        "+CTZE",
        "+CTZU",
        "+CGEV",
        "+CMTI",
        "+CMT",
        "+CLIP",
        "+CRING",
        "+CUSD",
        "+QNITZ",
        "+NITZ",
        "+QNETDEVSTATUS",
        "+CSCON",
        "+NPSMR",
        "+QATWAKEUP",
        "+QSIMSTAT",
        "+QCSQ",
        "*PSUTTZ",
        "+UUPSDD",
        "+EUSIM",
    ];
    rules.extend(noise.map(|name| line(name, LineKind::Noise)));
    rules
}

fn words() -> Vec<WordRule> {
    let restarted = ["RDY", "APP RDY", "START", "Neul"].map(|text| WordRule { text, kind: WordKind::Restarted });
    let gone = ["POWERED DOWN", "NORMAL POWER DOWN"].map(|text| WordRule { text, kind: WordKind::Gone });
    let noise = [
        "SMS DONE",
        "PB DONE",
        "SMS READY",
        "SMS Ready",
        "Call Ready",
        "CALL READY",
        "RING",
        "NITZ",
        "OPL UPDATING",
        "PNN UPDATING",
    ];
    let noise = noise.map(|text| WordRule { text, kind: WordKind::Noise });
    restarted.into_iter().chain(gone).chain(noise).collect()
}

/// A command whose accepted write form is always followed by its result.
fn late(name: &'static str, op: Op) -> CommandRule {
    let (input, read) = (InputRule::None, ReadRule::Info);
    CommandRule { name, op: Some(op), late: true, explained: false, msgid_arg: None, input, read }
}

/// A command whose result line comes with a refusal only.
fn refused(name: &'static str, op: Op) -> CommandRule {
    CommandRule { late: false, ..late(name, op) }
}

fn staged(name: &'static str) -> CommandRule {
    CommandRule { input: InputRule::Counted { at: 1, least: 2 }, ..refused(name, Op::Input) }
}

fn plain(name: &'static str) -> CommandRule {
    CommandRule { op: None, ..refused(name, Op::Input) }
}

fn qmt_commands() -> Vec<CommandRule> {
    let publish =
        |name| CommandRule { msgid_arg: Some(1), input: InputRule::Publish { at: 5 }, ..late(name, Op::Publish) };
    vec![
        CommandRule { input: InputRule::Keyed { key: "willex", at: 6 }, ..plain("+QMTCFG") },
        CommandRule { read: ReadRule::Text, ..late("+QMTOPEN", Op::Open) },
        late("+QMTCLOSE", Op::Close),
        CommandRule { read: ReadRule::State, ..late("+QMTCONN", Op::Connect) },
        late("+QMTDISC", Op::Disconnect),
        CommandRule { msgid_arg: Some(1), ..late("+QMTSUB", Op::Subscribe) },
        CommandRule { msgid_arg: Some(1), ..late("+QMTUNS", Op::Unsubscribe) },
        publish("+QMTPUB"),
        publish("+QMTPUBEX"),
        CommandRule { read: ReadRule::Slots, ..plain("+QMTRECV") },
        late("+QMTTENAUTH", Op::Token),
        // The other spelling of 001; its answer has the first one.
        late("+QMTENAUTH", Op::Token),
    ]
}

fn cmqtt_commands() -> Vec<CommandRule> {
    vec![
        late("+CMQTTSTART", Op::Start),
        late("+CMQTTSTOP", Op::Stop),
        refused("+CMQTTACCQ", Op::Acquire),
        refused("+CMQTTREL", Op::Release),
        plain("+CMQTTSSLCFG"),
        plain("+CMQTTCFG"),
        staged("+CMQTTTOPIC"),
        staged("+CMQTTPAYLOAD"),
        staged("+CMQTTWILLTOPIC"),
        staged("+CMQTTWILLMSG"),
        staged("+CMQTTSUBTOPIC"),
        staged("+CMQTTUNSUBTOPIC"),
        // `ERROR`, then the result line with the reason (SIM7028, 3.2.8).
        CommandRule { explained: true, ..late("+CMQTTCONNECT", Op::Connect) },
        late("+CMQTTDISC", Op::Disconnect),
        late("+CMQTTPUB", Op::Publish),
        // With one or two arguments it subscribes what was staged and asks for nothing.
        CommandRule { input: InputRule::Counted { at: 1, least: 3 }, ..late("+CMQTTSUB", Op::Subscribe) },
        // With two arguments the second is a length, or dup while a topic is staged (decision 8).
        CommandRule { input: InputRule::CountedOr { at: 1, full: 3 }, ..late("+CMQTTUNSUB", Op::Unsubscribe) },
    ]
}

fn common_commands() -> Vec<CommandRule> {
    let mut commands: Vec<_> = [
        "+CGMI",
        "+CGMM",
        "+CGMR",
        "+CGSN",
        "+GMI",
        "+GMM",
        "+GMR",
        "+GSN",
        "+CIMI",
        "+QCCID",
        "+CICCID",
        "+CMEE",
        "+CPIN",
        "+CFUN",
        "+CSQ",
        "+CREG",
        "+CGREG",
        "+CEREG",
        "+COPS",
        "+CGATT",
        "+CGDCONT",
        "+CGACT",
        "+CGPADDR",
        "+QICSGP",
        "+QIACT",
        "+QIDEACT",
        "+CCLK",
        "+QLTS",
        "+QPOWD",
        "+CPOF",
        "+CRESET",
        "+IPR",
        "+QURCCFG",
        "+QIDNSCFG",
        "+QFDEL",
        "+QFLST",
        "+QSSLCFG",
        "+CSSLCFG",
        "+CCERTLIST",
        "+CCERTDELE",
        "+NETOPEN",
        "+NETCLOSE",
    ]
    .map(plain)
    .into();
    commands.push(CommandRule { input: InputRule::File { at: 1 }, ..plain("+QFUPL") });
    commands.push(CommandRule { input: InputRule::Counted { at: 1, least: 2 }, ..plain("+CCERTDOWN") });
    commands
}

fn settings() -> Vec<SettingRule> {
    let rule = |key, at, what| SettingRule { command: "+QMTCFG", key, at, what };
    vec![
        rule("recv/mode", 3, Setting::Length),
        rule("dataformat", 3, Setting::Hex),
        // One setting under two names (decision 34).
        rule("dataformat", 2, Setting::TypedHex),
        rule("send/mode", 2, Setting::TypedHex),
        rule("view/mode", 2, Setting::TypedShown),
    ]
}
