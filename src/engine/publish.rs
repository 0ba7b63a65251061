//! Publishing: the window of five stays full, nobody waits for a broker unless asked to.

use std::sync::Arc;
use std::time::Duration;

use crate::client::Purpose;
use crate::dialect::schema::Family;
use crate::engine::client::Client;
use crate::engine::client::Outgoing;
use crate::engine::client::int;
use crate::engine::client::text;
use crate::engine::clock;
use crate::engine::commands::Goal;
use crate::engine::exchange::Exchange;
use crate::engine::receipt::Receipt;
use crate::engine::wait::Until;
use crate::engine::wait::Wait;
use crate::error::Error;
use crate::error::Kind;
use crate::proto::FinalResult;
use crate::proto::Input;
use crate::proto::Setting;
use crate::proto::hex::to_hex;

/// How long a module that took a message owes us the prompt of the next one; no document prints a time for a prompt.
const PROMPT_MARGIN: Duration = Duration::from_secs(5);

impl Client {
    /// Hands one message to the module and returns without waiting for the broker; waits for room in the window of five.
    pub fn publish(&self, message: &Outgoing, wait: Wait<'_>) -> Result<Receipt, Error> {
        self.check_message(message)?;
        let until = self.publish_until(wait);
        match self.family() {
            Family::Qmt => self.qmt_publish(message, &until),
            Family::Cmqtt => self.cmqtt_publish(message, &until),
        }
    }

    /// A whole batch in one call, the window always full. With `Ok`, one receipt for each message, in order; the call
    /// returns when the last was handed over. Every message is checked before the first is sent. The time is that of each.
    pub fn publish_many(&self, messages: &[Outgoing], wait: Wait<'_>) -> Result<Vec<Receipt>, Error> {
        for message in messages {
            self.check_message(message)?;
        }
        messages.iter().map(|message| self.publish(message, wait)).collect()
    }

    fn publish_until<'a>(&self, wait: Wait<'a>) -> Until<'a> {
        let name = self.publish_command();
        wait.until(self.port().patience(name, Some(self.index)) + PROMPT_MARGIN)
    }

    /// `AT+QMTPUBEX` of the LTE documents, `AT+QMTPUB` of the NB-IoT one.
    fn publish_command(&self) -> &'static str {
        match self.family() {
            Family::Cmqtt => "AT+CMQTTPUB",
            Family::Qmt if self.dialect().command("AT+QMTPUBEX").is_some() => "AT+QMTPUBEX",
            Family::Qmt => "AT+QMTPUB",
        }
    }

    fn check_message(&self, message: &Outgoing) -> Result<(), Error> {
        check_topic_name(&message.topic)?;
        match self.family() {
            Family::Qmt => self.qmt_publish_order(message, u16::from(message.qos > 0)).map(|_| ()),
            Family::Cmqtt => self.cmqtt_check(message),
        }
    }

    fn qmt_publish_order(&self, message: &Outgoing, msgid: u16) -> Result<crate::engine::commands::Order, Error> {
        let name = self.publish_command();
        let arguments = [
            int(msgid),
            int(message.qos),
            int(message.retain),
            text(&message.topic),
            int(i64::try_from(message.payload.len()).unwrap_or(i64::MAX)),
        ];
        let variant = match name {
            "AT+QMTPUB" => "fixed",
            _ => "write",
        };
        let mut order = self.order(name, variant, &arguments, Some(&message.payload))?;
        if self.types_hex() {
            order.input = Input::Prompt(to_hex(&message.payload));
        }
        Ok(order)
    }

    /// Payloads are typed as hexadecimal digits (QMTCFG "send/mode" or "dataformat").
    fn types_hex(&self) -> bool {
        self.port().protocol.lock().te.settings().of(Setting::TypedHex, self.index)
    }

    fn qmt_publish(&self, message: &Outgoing, until: &Until<'_>) -> Result<Receipt, Error> {
        let msgid = if message.qos == 0 { 0 } else { self.window_place(until)? };
        let sent = self.qmt_publish_order(message, msgid).and_then(|order| self.hand_over(order, msgid, until));
        if sent.is_err() && msgid != 0 {
            self.slot().facts.lock().window.give_back(msgid);
        }
        sent
    }

    fn window_place(&self, until: &Until<'_>) -> Result<u16, Error> {
        if let Some(msgid) = self.slot().facts.lock().window.take(Purpose::Publish) {
            return Ok(msgid);
        }
        let port = self.port();
        let mut place = self.await_window(until)?;
        if place.is_none() && port.give_up_overdue(self.index, port.patience(self.publish_command(), Some(self.index)))
        {
            place = self.slot().facts.lock().window.take(Purpose::Publish);
        }
        match place {
            Some(msgid) => Ok(msgid),
            None => {
                let error = Error::new(Kind::NoAnswer, "five publishes are in flight and none was acknowledged")
                    .awaiting("room in the window", until.waited(clock::now()))
                    .with_remedy("look at the receipts of the earlier messages");
                Err(port.explain(error))
            }
        }
    }

    /// Sends the order up to its `OK`; the result is the receipt's business.
    pub(crate) fn hand_over(
        &self,
        order: crate::engine::commands::Order,
        msgid: u16,
        until: &Until<'_>,
    ) -> Result<Receipt, Error> {
        let port = self.port();
        let asks = matches!(order.input, Input::Prompt(_));
        let exchange = port.execute(order, until, Goal::Accepted)?;
        if asks && was_taken_unasked(&exchange) {
            port.give_up_result(&exchange);
            let message = format!("{} was taken without asking for the payload", exchange.shown);
            let error = Error::new(Kind::Garbled, message)
                .awaiting("the prompt", until.waited(clock::now()))
                .with_remedy("this module takes the payload in the command line; what it published is the length");
            return Err(port.explain(error));
        }
        self.receipt(exchange, msgid, until)
    }

    /// The receipt of an accepted publish; the error of a refused one.
    pub(crate) fn receipt(&self, exchange: Arc<Exchange>, msgid: u16, until: &Until<'_>) -> Result<Receipt, Error> {
        let port = self.port();
        let refused = {
            let record = exchange.record();
            record.is_cut_short() || matches!(&record.final_result, Some((result, _)) if *result != FinalResult::Ok)
        };
        if refused {
            let error = port.verdict(&exchange);
            return Err(error.unwrap_or_else(|| Error::new(Kind::Internal, "a refused publish without an error")));
        }
        let patience = port.patience(self.publish_command(), Some(self.index));
        let own = until.deadline.map_or(patience, |at| at.saturating_duration_since(until.began));
        let due = clock::now() + patience.max(own);
        Ok(Receipt::new(Arc::clone(port), exchange, msgid, due))
    }
}

/// Whether the module said `OK` to a publish and never asked for its payload: firmware that has the payload in the command
/// line takes the length for it (FIELD F13).
fn was_taken_unasked(exchange: &Exchange) -> bool {
    let record = exchange.record();
    let accepted = matches!(&record.final_result, Some((FinalResult::Ok, _))) && !record.restarted;
    accepted && !record.prompted
}

/// A message goes to one topic: a wildcard or an empty name is nobody's (MQTT 3.1.1, 4.7).
fn check_topic_name(topic: &str) -> Result<(), Error> {
    if !topic.is_empty() && !topic.contains(['+', '#']) {
        return Ok(());
    }
    let message = format!("topic cannot be {topic:?}; allowed: a name of at least one character, without + and #");
    Err(Error::new(Kind::BadValue, message).with_source("MQTT 3.1.1, 4.7.1 and 4.7.3"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_goes_to_one_topic_that_has_a_name() {
        assert!(check_topic_name("a/$b").is_ok());
        for topic in ["", "a/+", "#"] {
            let error = check_topic_name(topic).expect_err(topic);
            assert_eq!(Kind::BadValue, error.kind);
        }
    }
}
