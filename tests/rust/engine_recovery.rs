//! Recovery, rung by rung, on scripted modules: each is climbed when it is needed and no earlier, is bounded, and every
//! request of another thread ends once. On virtual modules through the library: `tests/python/test_recovery.py`.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use modemrig::client::ClientState;
use modemrig::engine::Interrupt;
use modemrig::engine::Interrupted;
use modemrig::engine::Modem;
use modemrig::engine::RecoverAids;
use modemrig::engine::RecoverBounds;
use modemrig::engine::Recovery;
use modemrig::engine::StepOutcome;
use modemrig::engine::Wait;
use modemrig::error::Fault;
use modemrig::error::Kind;

use crate::engine_script::Answer;
use crate::engine_script::SOON;
use crate::engine_script::opened;

const LTE: &str = "lte_standard_a";
const OK: &str = "\r\nOK\r\n";

/// Bounds for scripts, which answer at once or never.
fn quick() -> RecoverBounds {
    let short = Duration::from_millis(400);
    RecoverBounds { port: short, input: short, resync: SOON, close: SOON, restart: SOON, power: SOON }
}

fn say(text: &str) -> Option<Answer> {
    Some(Answer::Say(text.to_owned()))
}

fn recover(modem: &Modem) -> Recovery {
    modem
        .recover(quick(), None, RecoverAids::default(), Wait::at_most(SOON * 4))
        .expect("neither closed nor interrupted")
}

fn names(recovery: &Recovery) -> Vec<(&'static str, StepOutcome)> {
    recovery.steps.iter().map(|step| (step.name, step.outcome)).collect()
}

/// Waits, bounded, until something is so.
fn until(what: impl Fn() -> bool) {
    #[allow(clippy::disallowed_methods)] // A test measures the product from outside.
    let now = Instant::now;
    let deadline = now() + SOON;
    while !what() {
        assert!(now() < deadline, "it never came to be");
        std::thread::yield_now();
    }
}

#[test]
fn a_module_that_is_well_is_asked_and_left_alone() {
    let (modem, script) = opened(LTE, |line| match line {
        "AT+QMTOPEN=0,\"h\",1883" => say("\r\nOK\r\n\r\n+QMTOPEN: 0,0\r\n"),
        "AT+QMTOPEN?" => say("\r\n+QMTOPEN: 0,\"h\",1883\r\n\r\nOK\r\n"),
        "AT+QMTCONN?" => say("\r\n+QMTCONN: 0,1\r\n\r\nOK\r\n"),
        _ => None,
    });
    let client = modem.client(0).expect("six");
    client.open("h", 1883, None, Wait::at_most(SOON)).expect("the script says so");
    let recovery = recover(&modem);
    assert!(recovery.error.is_none(), "{recovery:?}");
    assert_eq!(vec![("resync", StepOutcome::Done)], names(&recovery));
    assert!(recovery.steps[0].said.contains("client 0 is open"), "{recovery:?}");
    assert_eq!(ClientState::Open, recovery.clients[0]);
    assert!(!script.heard().iter().any(|line| line.contains("CLOSE") || line.contains("CFUN")), "{:?}", script.heard());
}

#[test]
fn a_client_that_a_dead_host_left_is_closed_and_its_result_awaited() {
    let closed = Arc::new(AtomicBool::new(false));
    let (asked, told) = (Arc::clone(&closed), Arc::new(AtomicBool::new(false)));
    let late = Arc::clone(&told);
    let (modem, script) = opened(LTE, move |line| match line {
        "AT+QMTCONN?" if !asked.load(Ordering::SeqCst) => say("\r\n+QMTCONN: 0,3\r\n\r\nOK\r\n"),
        "AT+QMTCLOSE=0" => {
            late.store(true, Ordering::SeqCst);
            say(OK)
        }
        _ => None,
    });
    std::thread::scope(|scope| {
        let recovering = scope.spawn(|| recover(&modem));
        until(|| told.load(Ordering::SeqCst));
        assert!(!recovering.is_finished(), "it waits for the result");
        closed.store(true, Ordering::SeqCst);
        script.say("\r\n+QMTCLOSE: 0,0\r\n");
        let recovery = recovering.join().expect("no panic");
        assert!(recovery.error.is_none(), "{recovery:?}");
        assert_eq!(vec![("resync", StepOutcome::Done), ("close", StepOutcome::Done)], names(&recovery));
        assert!(recovery.steps[0].said.contains("left in use"), "{recovery:?}");
    });
}

#[test]
fn a_module_that_answers_error_to_everything_is_restarted() {
    let well = Arc::new(AtomicBool::new(false));
    let restarted = Arc::clone(&well);
    let (modem, _script) = opened(LTE, move |line| match line {
        "AT+CFUN=1,1" => {
            restarted.store(true, Ordering::SeqCst);
            say("\r\nOK\r\n\r\nRDY\r\n")
        }
        line if line.contains("QMT") && !restarted.load(Ordering::SeqCst) => say("\r\nERROR\r\n"),
        _ => None,
    });
    let recovery = recover(&modem);
    assert!(recovery.error.is_none(), "{recovery:?}");
    let expected = vec![("resync", StepOutcome::Done), ("close", StepOutcome::Failed), ("restart", StepOutcome::Done)];
    assert_eq!(expected, names(&recovery));
    assert_eq!(1, modem.statistics().restarts);
}

#[test]
fn a_silent_module_is_asked_restarted_and_then_its_power_is_cut() {
    let well = Arc::new(AtomicBool::new(true));
    let (deaf, powered) = (Arc::clone(&well), Arc::clone(&well));
    let (modem, script) = opened(LTE, move |_| if deaf.load(Ordering::SeqCst) { None } else { Some(Answer::Nothing) });
    well.store(false, Ordering::SeqCst);
    let cut = || {
        powered.store(true, Ordering::SeqCst);
        script.say("\r\nRDY\r\n");
    };
    let hand = |_: Duration| {
        cut();
        Ok("the plug was pulled".to_owned())
    };
    let bounds = RecoverBounds { resync: Duration::from_millis(400), restart: Duration::from_millis(800), ..quick() };
    let aids = RecoverAids { power: Some(&hand), ports: None };
    let recovery = modem.recover(bounds, None, aids, Wait::at_most(SOON * 4)).expect("no end");
    assert!(recovery.error.is_none(), "{recovery:?}");
    let expected =
        vec![("resync", StepOutcome::Failed), ("restart", StepOutcome::Failed), ("power", StepOutcome::Done)];
    assert_eq!(expected, names(&recovery));
    assert!(recovery.steps[2].said.contains("plug"), "{recovery:?}");
    assert!(script.heard().contains(&"AT+CFUN=1,1".to_owned()), "also said blindly: {:?}", script.heard());
    modem.command("+CSQ", None, Wait::at_most(SOON)).expect("in step again");
}

#[test]
fn where_nothing_helps_the_error_says_what_was_tried() {
    let well = Arc::new(AtomicBool::new(true));
    let deaf = Arc::clone(&well);
    let (modem, _script) = opened(LTE, move |_| if deaf.load(Ordering::SeqCst) { None } else { Some(Answer::Nothing) });
    well.store(false, Ordering::SeqCst);
    let bounds = RecoverBounds { resync: Duration::from_millis(300), restart: Duration::from_millis(600), ..quick() };
    let recovery = modem.recover(bounds, None, RecoverAids::default(), Wait::at_most(SOON)).expect("no end");
    let error = recovery.error.expect("nothing helped");
    assert_eq!((Kind::RecoveryFailed, Fault::Link), (error.kind, error.fault));
    for word in ["does not answer", "resync (", "restart (", "power not tried"] {
        assert!(error.message.contains(word), "{error}");
    }
    assert!(recovery.took < Duration::from_secs(4), "bounded: {:?}", recovery.took);
}

/// A module that has asked for thirty bytes and got five; what it says then is the test's affair.
fn counting() -> (Modem, crate::engine_script::Script) {
    let (modem, script) = opened(LTE, |line| line.starts_with("AT+QMTPUBEX").then(|| Answer::Prompt(5, String::new())));
    let short = Wait::at_most(Duration::from_millis(200));
    let error =
        modem.command_exactly("+QMTPUBEX=0,1,1,0,\"t\",30", b"short", short).expect_err("it waits for the rest");
    assert_eq!(Kind::NoAnswer, error.kind);
    (modem, script)
}

#[test]
fn a_module_that_counts_payload_is_left_alone_and_named() {
    let (modem, _script) = counting();
    let before = modem.statistics().bytes_sent;
    let recovery = recover(&modem);
    assert_eq!(vec![("input", StepOutcome::Failed), ("power", StepOutcome::Skipped)], names(&recovery));
    let error = recovery.error.expect("nothing may be sent");
    assert!(error.message.contains("may still wait for payload"), "{error}");
    assert_eq!(before, modem.statistics().bytes_sent, "not a byte");
}

/// Says something once, while the recovery waits.
struct Saying<'a>(&'a crate::engine_script::Script, AtomicBool);

impl Interrupt for Saying<'_> {
    fn check(&self) -> Result<(), Interrupted> {
        if !self.1.swap(true, Ordering::Relaxed) {
            self.0.say("\r\nERROR\r\n");
        }
        Ok(())
    }
}

#[test]
fn the_end_of_an_input_is_awaited_and_then_asked_behind() {
    let (modem, script) = counting();
    let bounds = RecoverBounds { input: SOON, ..quick() };
    // Its edit/timeout.
    let hook = Saying(&script, AtomicBool::new(false));
    let wait = Wait::at_most(SOON * 4).interrupted_by(&hook);
    let recovery = modem.recover(bounds, None, RecoverAids::default(), wait).expect("no end");
    assert!(recovery.error.is_none(), "{recovery:?}");
    assert_eq!(vec![("input", StepOutcome::Done), ("resync", StepOutcome::Done)], names(&recovery));
}

#[test]
fn power_ends_an_input_too() {
    let (modem, script) = counting();
    let cuts = AtomicUsize::new(0);
    let hand = |_: Duration| {
        cuts.fetch_add(1, Ordering::SeqCst);
        script.say("\r\nRDY\r\n");
        Ok("the plug was pulled".to_owned())
    };
    let aids = RecoverAids { power: Some(&hand), ports: None };
    let recovery = modem.recover(quick(), None, aids, Wait::at_most(SOON * 4)).expect("no end");
    assert_eq!(1, cuts.load(Ordering::SeqCst));
    assert!(recovery.error.is_none(), "{recovery:?}");
    assert_eq!(vec![("input", StepOutcome::Failed), ("power", StepOutcome::Done)], names(&recovery));
}

#[test]
fn requests_of_other_threads_end_once_and_those_that_wait_are_sent_afterwards() {
    let (modem, script) = opened(LTE, |line| line.contains("SILENT").then_some(Answer::Nothing));
    std::thread::scope(|scope| {
        let on_the_wire = scope.spawn(|| modem.command("+SILENT", None, Wait::at_most(SOON * 10)));
        until(|| !script.heard().is_empty());
        let waiting = scope.spawn(|| modem.command("+CSQ", None, Wait::at_most(SOON * 4)));
        let recovery = recover(&modem);
        assert!(recovery.error.is_none(), "{recovery:?}");
        let reply = on_the_wire.join().expect("no panic").expect("a reply without a final result");
        assert_eq!(Some(Kind::NoAnswer), reply.error.map(|error| error.kind));
        let reply = waiting.join().expect("no panic").expect("sent behind the recovery");
        assert!(reply.error.is_none(), "{:?}", reply.error);
        assert_eq!(Some("AT+CSQ"), script.heard().last().map(String::as_str), "{:?}", script.heard());
    });
}

#[test]
fn a_free_input_ends_by_esc_where_the_document_has_it() {
    let (modem, script) =
        opened("bc35g_bc28", |line| line.starts_with("AT+QMTPUB=").then(|| Answer::Prompt(6, OK.to_owned())));
    let short = Wait::at_most(Duration::from_millis(200));
    modem.command_exactly("+QMTPUB=0,1,1,0,\"t\"", b"short", short).expect_err("no Ctrl-Z came");
    let recovery = recover(&modem);
    assert!(recovery.error.is_none(), "{recovery:?}");
    assert_eq!(("input", StepOutcome::Done), names(&recovery)[0]);
    assert_eq!(vec![b"short\x1b".to_vec()], *script.payloads.lock());
}

struct At(AtomicUsize);

impl Interrupt for At {
    fn check(&self) -> Result<(), Interrupted> {
        if self.0.fetch_add(1, Ordering::Relaxed) > 2 { Err(Interrupted) } else { Ok(()) }
    }
}

#[test]
fn an_interruption_ends_a_recovery_and_another_one_can_begin() {
    let well = Arc::new(AtomicBool::new(true));
    let deaf = Arc::clone(&well);
    let (modem, _script) = opened(LTE, move |_| if deaf.load(Ordering::SeqCst) { None } else { Some(Answer::Nothing) });
    well.store(false, Ordering::SeqCst);
    let hook = At(AtomicUsize::new(0));
    let wait = Wait::at_most(SOON * 4).interrupted_by(&hook);
    let error = modem.recover(quick(), None, RecoverAids::default(), wait).expect_err("interrupted");
    assert_eq!(Kind::Interrupted, error.kind);
    well.store(true, Ordering::SeqCst);
    assert!(recover(&modem).error.is_none());
}

#[test]
fn a_closed_port_is_not_recovered_and_a_nameless_one_is_not_found() {
    let (modem, script) = opened(LTE, |_| None);
    script.end.hang_up();
    until(|| modem.is_closed());
    let recovery = recover(&modem);
    assert_eq!(vec![("port", StepOutcome::Skipped), ("power", StepOutcome::Skipped)], names(&recovery));
    assert!(recovery.error.expect("gone").message.contains("its port is gone"));
    modem.close();
    let closed = modem.recover(quick(), None, RecoverAids::default(), Wait::at_most(SOON)).expect_err("closed");
    assert_eq!(Kind::PortClosed, closed.kind);
}

#[test]
fn a_rung_can_be_asked_for_by_name() {
    let (modem, script) =
        opened(LTE, |line| (line == "AT+CFUN=1,1").then(|| Answer::Say("\r\nOK\r\n\r\nRDY\r\n".into())));
    let wait = Wait::at_most(SOON * 4);
    let recovery = modem.recover(quick(), Some("restart"), RecoverAids::default(), wait).expect("no end");
    assert_eq!(vec![("resync", StepOutcome::Done), ("restart", StepOutcome::Done)], names(&recovery));
    assert!(recovery.error.is_none() && script.heard().contains(&"AT+CFUN=1,1".to_owned()), "{recovery:?}");
    let error = modem.recover(quick(), Some("prayer"), RecoverAids::default(), wait).expect_err("no such rung");
    assert_eq!(Kind::BadValue, error.kind);
}

#[test]
fn two_threads_recover_one_after_the_other() {
    let (modem, script) = opened(LTE, |line| line.contains("SILENT").then_some(Answer::Nothing));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| modem.command("+SILENT", None, Wait::at_most(SOON * 10)));
        until(|| !script.heard().is_empty());
        let both = [scope.spawn(|| recover(&modem)), scope.spawn(|| recover(&modem))];
        for recovering in both {
            assert!(recovering.join().expect("no panic").error.is_none());
        }
        assert!(waiting.join().expect("no panic").expect("a reply").error.is_some());
    });
}
