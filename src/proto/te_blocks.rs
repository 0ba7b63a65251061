//! A received message that comes as a block: a first line with the lengths, a header before each counted part, a last line.

use crate::proto::Delimiter;
use crate::proto::Event;
use crate::proto::Message;
use crate::proto::grammar::LineKind;
use crate::proto::lines::Line;
use crate::proto::te::TeSession;

/// A received message that comes in several lines and counted parts.
pub(super) struct Block {
    client: u8,
    topic_len: usize,
    payload_len: usize,
    topic: Vec<u8>,
    payload: Vec<u8>,
    part: Part,
}

#[derive(Clone, Copy)]
enum Part {
    None,
    Topic,
    Payload,
}

/// Announced bytes beyond this are damage, not a body: MQTT allows 256 MB, no module more than some kilobytes.
const LARGEST_BODY: usize = 1 << 20;

impl TeSession {
    pub(super) fn block_line(&mut self, line: &Line<'_>) {
        let numbers = line.numbers().unwrap_or_default();
        let len = |at: usize| numbers.get(at).and_then(|n| usize::try_from(*n).ok()).filter(|n| *n <= LARGEST_BODY);
        match (line.kind, line.client(), len(1)) {
            (Some(LineKind::BlockStart), Some(client), Some(topic_len)) => {
                if self.block.is_some() {
                    self.block_damaged(Vec::new());
                }
                let payload_len = len(2).unwrap_or(0);
                let (topic, payload) = (Vec::new(), Vec::new());
                self.block = Some(Block { client, topic_len, payload_len, topic, payload, part: Part::None });
            }
            (Some(LineKind::BlockTopic), Some(client), Some(len)) => self.block_part(client, Part::Topic, len),
            (Some(LineKind::BlockPayload), Some(client), Some(len)) => self.block_part(client, Part::Payload, len),
            (Some(LineKind::BlockEnd), Some(client), _) => self.block_end(client, line),
            _ => self.line_damaged(line),
        }
    }

    fn block_part(&mut self, client: u8, part: Part, len: usize) {
        // A header without a first line: the bytes are counted all the same, the message is reported as damaged.
        let block = self.block.get_or_insert_with(|| Block {
            client,
            topic_len: usize::MAX,
            payload_len: 0,
            topic: Vec::new(),
            payload: Vec::new(),
            part,
        });
        block.part = part;
        self.framer.expect_body(len);
    }

    pub(super) fn body(&mut self, bytes: Vec<u8>) {
        if let Some(block) = &mut self.block {
            match block.part {
                Part::Topic => block.topic = bytes,
                Part::Payload => block.payload.extend(bytes),
                Part::None => {}
            }
        }
    }

    fn block_end(&mut self, client: u8, line: &Line<'_>) {
        match self.block.take() {
            Some(block)
                if block.client == client
                    && block.topic.len() == block.topic_len
                    && block.payload.len() == block.payload_len =>
            {
                let (topic, payload) = (block.topic, block.payload);
                let delimiter = Delimiter::Length;
                self.events.push_back(Event::Message(Message { client, msgid: None, topic, payload, delimiter }));
            }
            Some(block) => {
                self.block = Some(block);
                self.block_damaged(line.text.to_vec());
            }
            // The end of a block that was reported as damaged already.
            None => self.events.push_back(Event::Ignored(line.text.to_vec())),
        }
    }

    pub(super) fn block_damaged(&mut self, mut bytes: Vec<u8>) {
        let block = self.block.take();
        let client = block.as_ref().map(|block| block.client);
        if let Some(block) = block {
            bytes.splice(..0, block.topic.into_iter().chain(block.payload));
        }
        self.events.push_back(Event::Damaged { name: self.grammar.block_name(), client, bytes });
    }
}
