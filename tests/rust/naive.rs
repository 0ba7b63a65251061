//! A framer that is simple, slow and sees the whole talk at once: the oracle of `proto_naive`. It shares no line with the
//! product, knows only what its generator can say, and takes each line for what it looks like.

/// Who said what, in order.
pub enum Said<'a> {
    Host(&'a str),
    Module(&'a [u8]),
}

/// What the module's lines mean, one word or two each.
pub fn events(talk: &[Said<'_>]) -> Vec<String> {
    let mut found = Vec::new();
    let mut command: Option<String> = None;
    let mut owed: Vec<String> = Vec::new();
    let mut booting = false;
    for said in talk {
        match said {
            Said::Host(line) => {
                command = Some((*line).to_owned());
                owed.extend(result_of(line));
                booting = false;
            }
            Said::Module(bytes) => {
                let mut rest = *bytes;
                while let Some(line) = next(&mut rest) {
                    let text = String::from_utf8_lossy(&line).into_owned();
                    let name = text.split(':').next().unwrap_or_default().to_owned();
                    if text == "OK" || text == "ERROR" || name == "+CME ERROR" {
                        booting = false;
                        match command.take() {
                            Some(line) => {
                                if text != "OK" {
                                    let late = result_of(&line);
                                    owed.iter().position(|one| Some(one) == late.as_ref()).map(|at| owed.remove(at));
                                }
                                found.push(format!("final {text}"));
                            }
                            None => found.push(format!("ignored {text}")),
                        }
                    } else if name == "+QMTRECV" || name == "message" {
                        found.push(text);
                    } else if text == "RDY" {
                        found.push(if booting { "urc RDY".to_owned() } else { "restarted".to_owned() });
                        booting = true;
                        command = None;
                        owed.clear();
                    } else if text == "POWERED DOWN" {
                        found.push("gone".to_owned());
                        command = None;
                        owed.clear();
                    } else if name == "+QMTSTAT" {
                        found.push(format!("lost {}", text.split(": ").nth(1).unwrap_or_default()));
                    } else if ["+QMTSUB", "+QMTUNS", "+QMTPUBEX", "+QMTOPEN", "+QMTCLOSE"].contains(&name.as_str()) {
                        let fields: Vec<&str> = text.split(": ").nth(1).unwrap_or_default().split(',').collect();
                        let numbered = !["+QMTOPEN", "+QMTCLOSE"].contains(&name.as_str());
                        let key = if numbered {
                            format!("{name} {},{}", fields[0], fields[1])
                        } else {
                            format!("{name} {}", fields[0])
                        };
                        let place = owed.iter().position(|one| *one == key);
                        found.push(match place {
                            None => format!("stale {key}"),
                            Some(_) if numbered && fields[2] == "1" => format!("retry {key}"),
                            Some(place) => {
                                owed.remove(place);
                                format!("result {text}")
                            }
                        });
                    } else if command.as_ref().is_some_and(|command| command.starts_with(&format!("AT{name}"))) {
                        found.push(format!("info {text}"));
                    } else if name.starts_with('+') {
                        found.push(format!("urc {text}"));
                    } else {
                        let kind = if command.is_some() { "info" } else { "ignored" };
                        found.push(format!("{kind} {text}"));
                    }
                }
            }
        }
    }
    found
}

/// `+QMTSUB 0,9` of `AT+QMTSUB=0,9,…`, where the command has a late result.
fn result_of(line: &str) -> Option<String> {
    let (name, arguments) = line.strip_prefix("AT")?.split_once('=')?;
    let arguments: Vec<&str> = arguments.split(',').collect();
    match name {
        "+QMTSUB" | "+QMTUNS" | "+QMTPUBEX" => Some(format!("{name} {},{}", arguments[0], arguments[1])),
        "+QMTOPEN" | "+QMTCLOSE" => Some(format!("{name} {}", arguments[0])),
        _ => None,
    }
}

/// The next line, without its ends; a message as one, whatever its payload holds.
fn next(rest: &mut &[u8]) -> Option<Vec<u8>> {
    while rest.first().is_some_and(|byte| b"\r\n".contains(byte)) {
        *rest = &rest[1..];
    }
    if rest.is_empty() {
        return None;
    }
    if rest.starts_with(b"+QMTRECV: ") {
        let text = String::from_utf8_lossy(rest).into_owned();
        let head: Vec<&str> = text.splitn(5, ',').collect();
        if let [_, _, _, length, _] = head[..]
            && let Ok(length) = length.parse::<usize>()
        {
            let start = head[..4].iter().map(|part| part.len() + 1).sum::<usize>() + 1;
            let line = rest[..start + length + 1].to_vec();
            *rest = &rest[line.len()..];
            return Some(line);
        }
    }
    if rest.starts_with(b"+CMQTTRXSTART: ") {
        return Some(block(rest));
    }
    Some(line(rest))
}

fn line(rest: &mut &[u8]) -> Vec<u8> {
    let end = rest.windows(2).position(|two| two == b"\r\n").unwrap_or(rest.len());
    let line = rest[..end].to_vec();
    *rest = &rest[(end + 2).min(rest.len())..];
    line
}

fn block(rest: &mut &[u8]) -> Vec<u8> {
    let mut whole = b"message: ".to_vec();
    loop {
        let header = String::from_utf8(line(rest)).expect("a header");
        if header.is_empty() {
            continue;
        }
        if header.starts_with("+CMQTTRXEND") {
            return whole;
        }
        if !header.starts_with("+CMQTTRXSTART") {
            let length: usize = header.split(',').nth(1).expect("a length").parse().expect("a number");
            whole.extend_from_slice(&rest[..length]);
            *rest = &rest[length..];
        }
    }
}
