//! Faults of the line: what is said is reworded, doubled, in another order, split, mixed with foreign lines, garbled, lost, or
//! ends in the middle; what is heard is garbled or lost. Between the protocol session and the descriptor; driven by `module`.
//!
//! Positions count the bytes of one answer, from behind the echo of its command line to the final result.

use std::collections::VecDeque;
use std::time::Instant;

use crate::proto::Part;
use crate::virtual_module::faults::Active;
use crate::virtual_module::faults::Asked;
use crate::virtual_module::faults::Effect;
use crate::virtual_module::faults::Faults;
use crate::virtual_module::faults::random::Random;

/// What is done at a place of an answer.
enum Act {
    Pause(Instant),
    Insert(Vec<u8>),
    Die,
}

/// When a final result is said.
#[derive(Debug, Default)]
enum Order {
    #[default]
    AsItComes,
    /// The next one is kept until this line has been said.
    Hold(String),
    Held(String, Vec<u8>),
}

/// What the module says, on its way to the line, and what it hears.
#[derive(Debug)]
pub(in crate::virtual_module) struct Line {
    said: VecDeque<(Instant, Vec<u8>)>,
    /// Nothing more is said before this.
    not_before: Option<Instant>,
    /// The running, or last, command line.
    asked: Asked,
    /// Its final result, if that comes behind its late result.
    final_result: Order,
    /// Bytes of its answer that were said.
    position: usize,
    /// Whether the echo of the line that is being typed is garbled.
    garbles_echo: Option<bool>,
    /// The module died in the middle of an answer: nothing more comes of it.
    died: bool,
    random: Random,
}

impl Line {
    pub(in crate::virtual_module) fn new(seed: u64) -> Line {
        Line {
            said: VecDeque::new(),
            not_before: None,
            asked: Asked::default(),
            final_result: Order::AsItComes,
            position: 0,
            garbles_echo: None,
            died: false,
            random: Random::new(seed),
        }
    }

    /// The answer to this command line begins.
    pub(in crate::virtual_module) fn begin(&mut self, asked: Asked) {
        self.asked = asked;
        self.position = 0;
        self.garbles_echo = None;
    }

    /// The running command line.
    pub(in crate::virtual_module) fn asked(&self) -> &Asked {
        &self.asked
    }

    /// The final result that is said next waits for the line that begins so.
    pub(in crate::virtual_module) fn hold_final_result(&mut self, result: String) {
        self.final_result = Order::Hold(result);
    }

    /// The module says something.
    pub(in crate::virtual_module) fn say(&mut self, faults: &mut Faults, part: Part, bytes: &[u8], now: Instant) {
        match std::mem::take(&mut self.final_result) {
            Order::Hold(result) if part == Part::Reply => {
                self.final_result = Order::Held(result, bytes.to_vec());
                return;
            }
            Order::Held(result, held) if part == Part::Unsolicited && contains(bytes, result.as_bytes()) => {
                self.say(faults, part, bytes, now);
                return self.say(faults, Part::Reply, &held, now);
            }
            // The late result does not come: the next command has begun.
            Order::Held(_, held) if part != Part::Unsolicited => self.say(faults, Part::Reply, &held, now),
            order => self.final_result = order,
        }
        let edited = if part == Part::Echo { None } else { edited(faults, &self.asked, bytes) };
        let bytes = edited.as_deref().unwrap_or(bytes);
        let mut rest = bytes;
        if part == Part::Reply {
            let from = self.position;
            self.position += bytes.len();
            let mut done = 0;
            for (at, act) in acts(faults, &self.asked, from..self.position, now) {
                let (before, behind) = rest.split_at(at - from - done);
                self.emit(faults, before, now);
                (rest, done) = (behind, at - from);
                match act {
                    Act::Pause(until) => self.not_before = self.not_before.max(Some(until)),
                    Act::Insert(line) => self.emit(faults, &line, now),
                    Act::Die => self.died = true,
                }
            }
        }
        match part {
            Part::Echo if *self.garbles_echo.get_or_insert_with(|| faults.happens(Effect::GarbleEcho, "the echo")) => {
                let garbage: Vec<u8> = rest.iter().map(|byte| self.random.other(*byte)).collect();
                self.emit(faults, &garbage, now);
            }
            _ => self.emit(faults, rest, now),
        }
    }

    fn emit(&mut self, faults: &mut Faults, bytes: &[u8], now: Instant) {
        if self.died {
            return;
        }
        let bytes = self.carry(faults, "out", bytes);
        if !bytes.is_empty() {
            self.said.push_back((self.not_before.map_or(now, |until| until.max(now)), bytes));
        }
    }

    /// What the module hears of what the host said.
    pub(in crate::virtual_module) fn hear(&mut self, faults: &mut Faults, bytes: &[u8]) -> Vec<u8> {
        self.carry(faults, "in", bytes)
    }

    /// The bytes as a bad line carries them.
    fn carry(&mut self, faults: &mut Faults, direction: &str, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for active in faults.in_force(&[Effect::Noise, Effect::Lose]) {
            if ![direction, "both"].contains(&active.text("direction").unwrap_or("both")) || bytes.is_empty() {
                continue;
            }
            let hits = match active.effect() {
                Effect::Noise => self.garble(active, &mut bytes),
                _ => lose(active, &mut bytes),
            };
            active.happened(hits, format_args!("{direction}going bytes of the line"));
        }
        bytes
    }

    fn garble(&mut self, active: &Active, bytes: &mut [u8]) -> u64 {
        let percent = active.number("percent").unwrap_or(100);
        let mut hits = 0;
        for byte in bytes {
            if active.left().is_none_or(|left| hits < left) && self.random.is_hit(percent) {
                *byte = self.random.other(*byte);
                hits += 1;
            }
        }
        hits
    }

    /// Whether the module died in the middle of an answer since `revive`.
    pub(in crate::virtual_module) fn died(&self) -> bool {
        self.died
    }

    /// The module has lost its power: what waited is lost too. What it says next is said at once.
    pub(in crate::virtual_module) fn power_lost(&mut self, now: Instant) {
        self.said.retain(|(due, _)| *due <= now);
        self.final_result = Order::AsItComes;
        self.not_before = None;
        self.died = false;
    }

    /// The module falls silent until then.
    pub(in crate::virtual_module) fn freeze(&mut self, until: Instant) {
        self.not_before = self.not_before.max(Some(until));
        for (due, _) in &mut self.said {
            *due = until.max(*due);
        }
    }

    /// What is to be written now.
    pub(in crate::virtual_module) fn poll(&mut self, now: Instant) -> Option<Vec<u8>> {
        self.said.front().filter(|(due, _)| *due <= now)?;
        self.said.pop_front().map(|(_, bytes)| bytes)
    }

    /// When something is to be written.
    pub(in crate::virtual_module) fn next_deadline(&self) -> Option<Instant> {
        self.said.front().map(|(due, _)| *due)
    }

    /// The host left: nobody hears what was said.
    pub(in crate::virtual_module) fn host_left(&mut self) {
        self.said.clear();
        self.final_result = Order::AsItComes;
    }
}

/// What faults make of these lines; `None`: nothing.
fn edited(faults: &mut Faults, asked: &Asked, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut result = None;
    for active in faults.in_force(&[Effect::Reword, Effect::Double]).filter(|active| active.is_meant(asked)) {
        let bytes = result.as_deref().unwrap_or(bytes);
        let lines: Vec<&[u8]> = split(bytes, b"\r\n");
        let mut kept: Vec<Vec<u8>> = Vec::with_capacity(lines.len());
        let mut hits = 0;
        for (place, line) in lines.iter().enumerate() {
            let wanted = active.text("from").or(active.text("text")).unwrap_or_default().as_bytes();
            let is_it = !line.is_empty() && contains(line, wanted) && active.left().is_none_or(|left| hits < left);
            if !is_it {
                kept.push(line.to_vec());
                continue;
            }
            hits += 1;
            let to = active.text("to").unwrap_or_default().as_bytes();
            if active.effect() == Effect::Double {
                kept.extend([line.to_vec(), Vec::new(), line.to_vec()]);
                continue;
            }
            let reworded = if wanted.is_empty() { to.to_vec() } else { split(line, wanted).join(to) };
            if !reworded.is_empty() {
                kept.push(reworded);
            } else if kept.last().is_some_and(Vec::is_empty) && lines.get(place + 1).is_none_or(|next| next.is_empty())
            {
                // The line ends around it go with it.
                kept.pop();
            }
        }
        active.happened(hits, "a line");
        result = Some(kept.join(&b"\r\n"[..]));
    }
    result
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    text.is_empty() || bytes.windows(text.len()).any(|part| part == text)
}

/// The parts between these marks.
fn split<'a>(bytes: &'a [u8], mark: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(mark.len()).position(|part| part == mark) {
        parts.push(&rest[..at]);
        rest = &rest[at + mark.len()..];
    }
    parts.push(rest);
    parts
}

/// What faults do in these bytes of an answer, in order.
fn acts(faults: &mut Faults, asked: &Asked, range: std::ops::Range<usize>, now: Instant) -> Vec<(usize, Act)> {
    let mut acts = Vec::new();
    for active in faults.in_force(&[Effect::Split, Effect::Insert, Effect::Die]) {
        let at = active.number("at").and_then(|at| usize::try_from(at).ok()).unwrap_or_default();
        if !range.contains(&at) || !active.is_meant(asked) {
            continue;
        }
        active.happened(1, format_args!("the answer to {} at byte {at}", asked.commands.join(";")));
        acts.push((
            at,
            match active.effect() {
                Effect::Split => Act::Pause(now + active.span("ms")),
                Effect::Insert => Act::Insert(format!("\r\n{}\r\n", active.text("text").unwrap_or_default()).into()),
                _ => Act::Die,
            },
        ));
    }
    acts.sort_by_key(|(at, _)| *at);
    acts
}

/// Behind every `after` bytes `length` are lost.
fn lose(active: &mut Active, bytes: &mut Vec<u8>) -> u64 {
    let span = |name| active.number(name).unwrap_or_default().unsigned_abs();
    let (after, length) = (span("after"), span("length"));
    let left = active.left();
    let mut hits = 0;
    let mut passed = active.passed;
    bytes.retain(|_| {
        if left.is_some_and(|left| hits == left) {
            return true;
        }
        let lost = passed >= after;
        passed += 1;
        if passed == after + length {
            passed = 0;
            hits += 1;
        }
        !lost
    });
    active.passed = passed;
    hits
}
