//! The rules of the two standards that bytes or a client can break, as a table: what each says, and where it stands.
//!
//! MQTT 3.1.1 numbers its normative statements; 3.1 has sections only. The decoder and the broker name rules from here.

use super::packet::Level;

/// One rule. [`Rule::text`] says what was broken, [`Rule::statement`] where the standard says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // The table below says what each is.
pub enum Rule {
    ReservedType,
    LengthTooLong,
    LengthPadded,
    TooShort,
    TooLong,
    FlagsNotZero,
    FlagsNotTwo,
    DupOfRequest,
    NotUtf8,
    Nul,
    IdZero,
    ConnectLevel,
    ConnectReserved,
    WillFlags,
    WillQos,
    WillTopic,
    PasswordAlone,
    PresentInRefusal,
    ConnackReserved,
    PublishQos,
    PublishDup,
    TopicWildcard,
    SubscribeEmpty,
    SubscribeQos,
    FilterForm,
    UnsubscribeEmpty,
    SubackCode,
    ConnectFirst,
    ConnectTwice,
    ClientIdEmpty,
    ClientIdLength,
    ServerPacket,
    AfterDisconnect,
    KeepAlive,
    IdInUse,
    DupMissing,
    DupAtFirst,
    AckUnknown,
    AckOrder,
    CompletionUnknown,
    ReleaseUnknown,
    ReleaseOrder,
    PublishAfterRelease,
}

/// Rule, what is wrong, statement of 3.1.1, section of 3.1.
type Row = (Rule, &'static str, &'static str, &'static str);

#[rustfmt::skip] // A table.
const TABLE: &[Row] = &[
    (Rule::ReservedType, "packet types 0 and 15 are reserved", "§2.2.1", "3.1 §2.1"),
    (Rule::LengthTooLong, "the remaining length has more than four bytes", "§2.2.3", "3.1 §2.1"),
    (Rule::LengthPadded, "the remaining length has a needless byte", "§2.2.3", "3.1 §2.1"),
    (Rule::TooShort, "it ends too early", "[MQTT-4.8.0-1]", "3.1 §2.1"),
    (Rule::TooLong, "bytes after the end", "[MQTT-4.8.0-1]", "3.1 §2.1"),
    (Rule::FlagsNotZero, "flags must be 0", "[MQTT-2.2.2-2]", "3.1 §2.6"),
    (Rule::FlagsNotTwo, "flags must be 2", "[MQTT-2.2.2-2]", "3.1 §2.1"),
    (Rule::DupOfRequest, "DUP is not allowed at level 4", "[MQTT-2.2.2-2]", "3.1 §2.1"),
    (Rule::NotUtf8, "a string that is not UTF-8", "[MQTT-1.5.3-1]", "3.1 §2.5"),
    (Rule::Nul, "a string with NUL", "[MQTT-1.5.3-2]", "3.1 §2.5"),
    (Rule::IdZero, "packet identifier 0", "[MQTT-2.3.1-1]", "3.1 §2.4"),
    (Rule::ConnectLevel, "a version that is neither 3.1 nor 3.1.1", "[MQTT-3.1.2-2]", "3.1 §3.1"),
    (Rule::ConnectReserved, "the reserved flag is set", "[MQTT-3.1.2-3]", "3.1 §3.1"),
    (Rule::WillFlags, "will flags without a will", "[MQTT-3.1.2-11]", "3.1 §3.1"),
    (Rule::WillQos, "will QoS 3", "[MQTT-3.1.2-14]", "3.1 §3.1"),
    (Rule::WillTopic, "the will's topic is empty or has a wildcard", "[MQTT-3.3.2-2]", "3.1 §3.1"),
    (Rule::PasswordAlone, "a password without a user name", "[MQTT-3.1.2-22]", "3.1 §3.1"),
    (Rule::PresentInRefusal, "session present in a refusal", "[MQTT-3.2.2-4]", "3.1 §3.2"),
    (Rule::ConnackReserved, "reserved flags are set", "§3.2.2.1", "3.1 §3.2"),
    (Rule::PublishQos, "QoS 3", "[MQTT-3.3.1-4]", "3.1 §2.1"),
    (Rule::PublishDup, "DUP at QoS 0", "[MQTT-3.3.1-2]", "3.1 §2.1"),
    (Rule::TopicWildcard, "the topic is empty or has a wildcard", "[MQTT-3.3.2-2]", "3.1 §3.3"),
    (Rule::SubscribeEmpty, "no topic filter", "[MQTT-3.8.3-3]", "3.1 §3.8"),
    (Rule::SubscribeQos, "the quality wanted is not 0, 1 or 2", "[MQTT-3-8.3-4]", "3.1 §3.8"),
    (Rule::FilterForm, "a topic filter that cannot be", "[MQTT-4.7.1-2], [MQTT-4.7.1-3], [MQTT-4.7.3-1]", "3.1 appendix A"),
    (Rule::UnsubscribeEmpty, "no topic filter", "[MQTT-3.10.3-2]", "3.1 §3.10"),
    (Rule::SubackCode, "no code, or one that the level does not know", "[MQTT-3.9.3-2]", "3.1 §3.9"),
    (Rule::ConnectFirst, "the first packet is not CONNECT", "[MQTT-3.1.0-1]", "3.1 §3.1"),
    (Rule::ConnectTwice, "a second CONNECT", "[MQTT-3.1.0-2]", "3.1 §3.1"),
    (Rule::ClientIdEmpty, "an empty client identifier, or one without a clean session", "[MQTT-3.1.3-7]", "3.1 §3.1"),
    (Rule::ClientIdLength, "a client identifier of more than 23 characters", "[MQTT-3.1.3-5]", "3.1 §3.1"),
    (Rule::ServerPacket, "only a server sends this", "[MQTT-4.8.0-1]", "3.1 §3"),
    (Rule::AfterDisconnect, "something after DISCONNECT", "[MQTT-3.14.4-2]", "3.1 §3.14"),
    (Rule::KeepAlive, "silent for more than one and a half times the keep-alive", "[MQTT-3.1.2-23]", "3.1 §3.1"),
    (Rule::IdInUse, "a packet identifier that is in use", "[MQTT-2.3.1-2]", "3.1 §2.4"),
    (Rule::DupMissing, "a repetition without DUP", "[MQTT-3.3.1-1]", "3.1 §2.1"),
    (Rule::DupAtFirst, "DUP on a first transmission", "[MQTT-3.3.1-1]", "3.1 §2.1"),
    (Rule::AckUnknown, "an acknowledgement nobody waits for", "[MQTT-2.3.1-6]", "3.1 §4.1"),
    (Rule::AckOrder, "acknowledgements in another order than the messages", "[MQTT-4.6.0-2], [MQTT-4.6.0-3]", "3.1 §4.3"),
    (Rule::CompletionUnknown, "PUBCOMP without a PUBREL", "[MQTT-4.3.3-2]", "3.1 §4.1"),
    (Rule::ReleaseUnknown, "PUBREL without a PUBREC", "[MQTT-4.3.3-1]", "3.1 §4.1"),
    (Rule::ReleaseOrder, "PUBREL in another order than PUBREC", "[MQTT-4.6.0-4]", "3.1 §4.3"),
    (Rule::PublishAfterRelease, "a PUBLISH again after its PUBREL", "[MQTT-4.3.3-1]", "3.1 §4.1"),
];

impl Rule {
    /// All, in the order of the table.
    pub fn all() -> impl Iterator<Item = Rule> {
        TABLE.iter().map(|row| row.0)
    }

    /// What is wrong.
    pub fn text(self) -> &'static str {
        self.row().1
    }

    /// Where the standard says so: a numbered statement or a section of 3.1.1, or a section of 3.1.
    pub fn statement(self, level: Level) -> &'static str {
        match level {
            Level::V311 => self.row().2,
            Level::V31 => self.row().3,
        }
    }

    fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_its_row_and_says_where_it_stands() {
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(index, row.0 as usize, "{:?}", row.0);
            assert!(row.2.contains('§') || row.2.starts_with("[MQTT-"), "{row:?}");
            assert!(row.3.starts_with("3.1 "), "{row:?}");
        }
        assert_eq!(Rule::PublishAfterRelease as usize + 1, TABLE.len());
    }
}
