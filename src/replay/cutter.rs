//! Cuts a recorded talk into exchanges, entry by entry, however its bytes were cut. What an exchange is stands in `script`.

use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

use crate::proto::Grammar;
use crate::proto::Part;
use crate::proto::PayloadEnd;
use crate::proto::TaEvent;
use crate::proto::TaSession;
use crate::proto::command_line;
use crate::replay::clock;
use crate::replay::echo::Echo;
use crate::replay::effect::Effect;
use crate::replay::heard::Heard;
use crate::replay::heard::Mark;
use crate::replay::pattern::Pattern;
use crate::replay::prompts::Prompt;
use crate::replay::prompts::Prompts;
use crate::replay::script::Answer;
use crate::replay::script::Exchange;
use crate::replay::script::Said;
use crate::replay::script::Typed;
use crate::transcript::Direction;
use crate::transcript::Entry;

/// A command line this soon behind another that is not answered yet was sent ahead; later, its host had given up.
const SENT_AHEAD: Duration = Duration::from_millis(100);

/// Something the host wrote whose answer may still come.
struct Open {
    exchange: usize,
    /// Its payload, not its command line.
    typed: bool,
    asked: Instant,
    echo: Echo,
    answered: bool,
}

/// The talk so far.
pub struct Cutter {
    prompts: Prompts,
    /// Understands the host as a module does; its echo is what the module's is looked for.
    session: TaSession,
    heard: Heard,
    origin: Instant,
    now: Instant,
    before: Vec<Said>,
    exchanges: Vec<Exchange>,
    /// Whose answer comes now, and who waits behind it.
    open: VecDeque<Open>,
    /// What the host wrote last, and what it wrote before the one whose answer comes now: exchange, payload, when.
    last: Option<(usize, bool, Instant)>,
    previous: Option<(usize, bool, Instant)>,
    /// What would be the echo of a line that is half typed.
    typing: Echo,
    /// The command asks for a payload that ends so; the prompt has not come.
    awaited: Option<PayloadEnd>,
    /// Nobody knows whether the command asks for a payload.
    possible: bool,
    /// It did.
    prompted: bool,
}

impl Cutter {
    fn new(grammar: &'static Grammar, numeric: bool) -> Cutter {
        let origin = clock::now();
        Cutter {
            prompts: Prompts::new(grammar),
            session: TaSession::new(true),
            heard: Heard::new(numeric),
            origin,
            now: origin,
            before: Vec::new(),
            exchanges: Vec::new(),
            open: VecDeque::new(),
            last: None,
            previous: None,
            typing: Echo::default(),
            awaited: None,
            possible: false,
            prompted: false,
        }
    }

    /// What the module said before the host's first word, and the exchanges.
    pub fn cut(grammar: &'static Grammar, numeric: bool, entries: &[Entry]) -> (Vec<Said>, Vec<Exchange>) {
        let mut cutter = Cutter::new(grammar, numeric);
        let begin = entries.first().map_or(0.0, |entry| entry.t);
        let mut last = begin;
        for (number, entry) in entries.iter().enumerate() {
            // A clock that runs backwards in the file stands still here.
            last = entry.t.max(last);
            let since = Duration::try_from_secs_f64(last - begin).unwrap_or_default();
            cutter.now = cutter.origin.checked_add(since).unwrap_or(cutter.now);
            match entry.dir {
                Direction::Tx => cutter.sent(&entry.data, &entries[number..]),
                Direction::Rx => cutter.received(&entry.data),
            }
        }
        (cutter.before, cutter.exchanges)
    }

    // ---- the host ----

    fn sent(&mut self, bytes: &[u8], ahead: &[Entry]) {
        let begins = bytes.trim_ascii_start().get(..2).is_some_and(|head| head.eq_ignore_ascii_case(b"AT"));
        if begins && self.awaited.take().is_some() {
            // No prompt came, and the host went on.
            self.session.end_command(self.now);
        }
        if std::mem::take(&mut self.prompted) && !self.session.busy() {
            let end = end_of_unknown(ahead);
            if let Some(open) = self.open.back() {
                self.exchanges[open.exchange].prompt = Some(end);
            }
            self.session.expect_payload(end, true, None, self.now);
        }
        for byte in bytes {
            self.session.receive(&[*byte], self.now);
            self.typed();
        }
    }

    fn typed(&mut self) {
        loop {
            while let Some((part, bytes)) = self.session.poll_part() {
                if part == Part::Echo {
                    self.typing.expect(&bytes);
                }
            }
            match self.session.poll_event() {
                Some(TaEvent::CommandLine(line)) => self.command(line),
                Some(TaEvent::Payload(payload)) => self.payload(Some(payload)),
                Some(TaEvent::PayloadCancelled) => self.payload(None),
                Some(TaEvent::PayloadTimedOut) => {}
                None => return,
            }
        }
    }

    fn command(&mut self, line: Vec<u8>) {
        let commands = command_line::parse_line(&line).unwrap_or_default();
        let prompt = self.prompts.of(&commands);
        let sent_ahead = self
            .open
            .back()
            .is_some_and(|open| !open.answered && self.now.saturating_duration_since(open.asked) < SENT_AHEAD);
        if !sent_ahead {
            self.open.clear();
            self.heard.begin();
        }
        let echo = std::mem::take(&mut self.typing);
        self.exchanges.push(Exchange {
            line,
            pattern: Pattern::default(),
            echoed: echo.was_seen(),
            answer: Answer::default(),
            prompt: None,
            typed: None,
            effect: Effect::Changes,
        });
        self.begin(false, echo);
        self.awaited = match prompt {
            Prompt::Certain(end) => Some(end),
            Prompt::None | Prompt::Possible => None,
        };
        self.possible = prompt == Prompt::Possible;
        self.prompted = false;
        if self.awaited.is_none() {
            self.session.end_command(self.now);
        }
    }

    fn payload(&mut self, payload: Option<Vec<u8>>) {
        let echo = std::mem::take(&mut self.typing);
        if let Some(exchange) = self.exchanges.last_mut() {
            exchange.typed = Some(Typed { payload, echoed: echo.was_seen(), answer: Answer::default() });
            self.open.clear();
            self.heard.begin();
            self.begin(true, echo);
        }
        self.session.end_command(self.now);
    }

    fn begin(&mut self, typed: bool, echo: Echo) {
        let exchange = self.exchanges.len() - 1;
        if let Some(last) = self.last.replace((exchange, typed, self.now))
            && self.open.is_empty()
        {
            self.previous = Some(last);
        }
        self.open.push_back(Open { exchange, typed, asked: self.now, echo, answered: false });
    }

    // ---- the module ----

    fn received(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let front = self.open.front_mut();
            let is_whole = front.as_ref().is_none_or(|open| open.echo.is_done());
            let echo = match front {
                Some(open) if !is_whole => &mut open.echo,
                _ => &mut self.typing,
            };
            let Some((before, behind)) = echo.take(rest) else {
                rest = self.say(rest);
                continue;
            };
            let (seen, came) = (echo.was_seen(), echo.was_seen() && echo.is_done());
            let mut before = before.as_slice();
            while !before.is_empty() {
                before = self.say(before);
            }
            if !is_whole {
                self.note_echo(seen);
                if came {
                    self.give_back();
                    self.echo_came();
                }
            }
            rest = behind;
        }
    }

    fn echo_came(&mut self) {
        if let Some(open) = self.open.front() {
            let (exchange, typed) = (open.exchange, open.typed);
            let at = self.now.saturating_duration_since(open.asked);
            self.answer_of(exchange, typed).echo_at = Some(at);
        }
    }

    /// What came before the echo was said before the module had read the line: it belongs to what was asked before.
    fn give_back(&mut self) {
        let Some(open) = self.open.front_mut() else { return };
        open.answered = false;
        let (exchange, typed, asked) = (open.exchange, open.typed, open.asked);
        let early = std::mem::take(&mut self.answer_of(exchange, typed).said);
        let before = self.previous;
        let since = asked.saturating_duration_since(before.map_or(self.origin, |(.., asked)| asked));
        let said = match before {
            Some((exchange, typed, _)) => &mut self.answer_of(exchange, typed).said,
            None => &mut self.before,
        };
        early.iter().for_each(|piece| put(said, since + piece.at, &piece.bytes));
    }

    fn answer_of(&mut self, exchange: usize, typed: bool) -> &mut Answer {
        let exchange = &mut self.exchanges[exchange];
        match &mut exchange.typed {
            Some(answered) if typed => &mut answered.answer,
            _ => &mut exchange.answer,
        }
    }

    fn note_echo(&mut self, seen: bool) {
        if let Some(open) = self.open.front() {
            let exchange = &mut self.exchanges[open.exchange];
            match &mut exchange.typed {
                Some(typed) if open.typed => typed.echoed = seen,
                _ => exchange.echoed = seen,
            }
        }
    }

    /// The module said this; what is left belongs to somebody else.
    fn say<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Some(open) = self.open.front_mut() else {
            let at = self.now.saturating_duration_since(self.origin);
            put(&mut self.before, at, bytes);
            return &[];
        };
        let (exchange, typed, at) = (open.exchange, open.typed, self.now.saturating_duration_since(open.asked));
        let mut marked = None;
        for (number, byte) in bytes.iter().enumerate() {
            match self.heard.byte(*byte) {
                Mark::Nothing => {}
                Mark::Prompt if self.awaited.is_none() && !self.possible => {}
                mark => {
                    marked = Some((number + 1, mark));
                    break;
                }
            }
        }
        let (taken, behind) = bytes.split_at(marked.map_or(bytes.len(), |(end, _)| end));
        open.answered = true;
        if marked.is_some() {
            open.echo.give_up();
        }
        let answer = self.answer_of(exchange, typed);
        put(&mut answer.said, at, taken);
        if let Some((_, mark)) = marked {
            answer.ends.get_or_insert(answer.said.len() - 1);
            self.marked(mark);
        }
        behind
    }

    fn marked(&mut self, mark: Mark) {
        match (mark, self.awaited.take()) {
            (Mark::Final, awaited) => {
                self.possible = false;
                if awaited.is_some() {
                    self.session.end_command(self.now);
                }
                if self.open.len() > 1
                    && let Some(done) = self.open.pop_front()
                {
                    self.previous = Some((done.exchange, done.typed, done.asked));
                }
            }
            (_, Some(end)) => {
                let last = self.exchanges.len() - 1;
                self.exchanges[last].prompt = Some(end);
                self.session.expect_payload(end, true, None, self.now);
            }
            (_, None) => self.prompted = std::mem::take(&mut self.possible),
        }
        self.typed();
    }
}

/// How the payload ends that begins with these entries, of a command that we do not know: at its Ctrl-Z, else after what the
/// host wrote before the module ended a line.
fn end_of_unknown(ahead: &[Entry]) -> PayloadEnd {
    let until = ahead.iter().take_while(|entry| entry.dir == Direction::Tx || !entry.data.contains(&b'\n'));
    let sent: Vec<u8> = until.filter(|entry| entry.dir == Direction::Tx).flat_map(|entry| entry.data.clone()).collect();
    match sent.contains(&crate::proto::ta::CTRL_Z) || sent.contains(&crate::proto::ta::ESC) {
        true => PayloadEnd::UntilCtrlZ { max: usize::MAX },
        false => PayloadEnd::Counted(sent.len()),
    }
}

/// Bytes of one moment are one piece.
fn put(said: &mut Vec<Said>, at: Duration, bytes: &[u8]) {
    match said.last_mut() {
        Some(last) if last.at == at => last.bytes.extend(bytes),
        _ if bytes.is_empty() => {}
        _ => said.push(Said { at, bytes: bytes.to_vec() }),
    }
}
