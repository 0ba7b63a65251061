//! Worked examples of the documents on a virtual module, byte for byte: what the suite compares by fields is pinned here.

use modemrig::mqtt::Qos;

use crate::virtual_host::Host;

/// Writes bytes and expects exactly these, the last of which are waited for.
fn exchange(host: &mut Host, sent: &str, expected: &str) {
    host.write(sent.as_bytes());
    assert_eq!(expected, host.until(expected), "after {sent:?}");
}

#[test]
fn example_5_1_of_ecx00u_byte_for_byte() {
    let mut host = Host::on("ecx00u_egx00u");
    let steps = [
        ("AT+QMTCFG=\"recv/mode\",0,0,1\r", "\r\nOK\r\n"),
        ("AT+QMTCFG=\"aliauth\",0,\"oyjtmPI5a5j\",\"MQTT_TEST\",\"wN9Y6pZSIly7Exa5qVzcmigEGO4kAazZ\"\r", "\r\nOK\r\n"),
        ("AT+QMTOPEN=?\r", "\r\n+QMTOPEN: (0-5),\"hostname\",(1-65535)\r\n\r\nOK\r\n"),
        ("AT+QMTOPEN=0,\"iot-as-mqtt.cn-shanghai.aliyuncs.com\",1883\r", "\r\nOK\r\n\r\n+QMTOPEN: 0,0\r\n"),
        ("AT+QMTOPEN?\r", "\r\n+QMTOPEN: 0,\"iot-as-mqtt.cn-shanghai.aliyuncs.com\",1883\r\n\r\nOK\r\n"),
        ("AT+QMTCONN=0,\"clientExample\"\r", "\r\nOK\r\n\r\n+QMTCONN: 0,0,0\r\n"),
        ("AT+QMTSUB=?\r", "\r\n+QMTSUB: (0-5),<msgid>,list of [\"topic\",qos]\r\n\r\nOK\r\n"),
        ("AT+QMTSUB=0,1,\"topic/example\",2\r", "\r\nOK\r\n\r\n+QMTSUB: 0,1,0,2\r\n"),
        ("AT+QMTSUB=0,1,\"topic/pub\",0\r", "\r\nOK\r\n\r\n+QMTSUB: 0,1,0,0\r\n"),
    ];
    for (sent, expected) in steps {
        exchange(&mut host, sent, expected);
    }
    host.broker.publish("topic/example", b"This is the payload related to topic", Qos::AtMostOnce, false);
    exchange(&mut host, "", "\r\n+QMTRECV: 0,0,\"topic/example\",36,\"This is the payload related to topic\"\r\n");
    exchange(&mut host, "AT+QMTUNS=0,2,\"topic/example\"\r", "\r\nOK\r\n\r\n+QMTUNS: 0,2,0\r\n");
    exchange(&mut host, "AT+QMTPUBEX=0,0,0,0,\"topic/pub\",30\r", "\r\n> ");
    // The module's own message comes back from the broker (decision 14).
    exchange(
        &mut host,
        "This is test data, hello MQTT.",
        "\r\nOK\r\n\r\n+QMTPUBEX: 0,0,0\r\n\r\n+QMTRECV: 0,0,\"topic/pub\",30,\"This is test data, hello MQTT.\"\r\n",
    );
    exchange(&mut host, "AT+QMTDISC=0\r", "\r\nOK\r\n\r\n+QMTDISC: 0,0\r\n");
}

/// The checksum of an upload as AT+QFUPL states it, worked out apart from the module.
fn checksum(content: &[u8]) -> u16 {
    let mut sum = 0;
    for (index, byte) in content.iter().enumerate() {
        sum ^= u16::from(*byte) << if index % 2 == 0 { 8 } else { 0 };
    }
    sum
}

#[test]
fn example_5_2_of_ecx00u_with_both_ends_certified() {
    let mut host = Host::on("ecx00u_egx00u");
    host.broker.require_client_cert(true);
    let certificates = host.broker.certificates();
    let files = [
        ("cacert.pem", certificates.ca_pem.clone()),
        ("client.pem", certificates.client_cert_pem.clone()),
        ("user_key.pem", certificates.client_key_pem.clone()),
    ];
    exchange(&mut host, "AT+QMTCFG=\"SSL\",0,1,2\r", "\r\nOK\r\n");
    for (name, content) in &files {
        let size = content.len();
        exchange(&mut host, &format!("AT+QFUPL=\"UFS:{name}\",{size},100\r"), "\r\nCONNECT\r\n");
        let sum = checksum(content.as_bytes());
        exchange(&mut host, content, &format!("\r\n+QFUPL: {size},{sum:x}\r\n\r\nOK\r\n"));
    }
    for setting in [
        "\"cacert\",2,\"UFS:cacert.pem\"",
        "\"clientcert\",2,\"UFS:client.pem\"",
        "\"clientkey\",2,\"UFS:user_key.pem\"",
        "\"seclevel\",2,2",
        "\"sslversion\",2,4",
        "\"ciphersuite\",2,0xFFFF",
        "\"ignorelocaltime\",2,1",
    ] {
        exchange(&mut host, &format!("AT+QSSLCFG={setting}\r"), "\r\nOK\r\n");
    }
    let open = "AT+QMTOPEN=0,\"a1zgnxur10j8ux.iot.us-east-1.amazonaws.com\",8883\r";
    exchange(&mut host, open, "\r\nOK\r\n\r\n+QMTOPEN: 0,0\r\n");
    exchange(&mut host, "AT+QMTCONN=0,\"M26_0206\"\r", "\r\nOK\r\n\r\n+QMTCONN: 0,0,0\r\n");
    exchange(&mut host, "AT+QMTDISC=0\r", "\r\nOK\r\n\r\n+QMTDISC: 0,0\r\n");
    // Without a certificate of its own the module is turned away while the connection is secured.
    exchange(&mut host, "AT+QSSLCFG=\"seclevel\",2,1\r", "\r\nOK\r\n");
    exchange(&mut host, open, "\r\nOK\r\n\r\n+QMTOPEN: 0,-1\r\n");
}

#[test]
fn example_4_1_of_sim7028_byte_for_byte() {
    const DIGITS: &str = "012345678901234567890123456789012345678901234567890123456789";
    let mut host = Host::on("sim7028");
    let steps = [
        ("AT+CMQTTSTART\r", "\r\nOK\r\n\r\n+CMQTTSTART: 0\r\n"),
        ("AT+CMQTTACCQ=0,\"client test0\"\r", "\r\nOK\r\n"),
        ("AT+CMQTTWILLTOPIC=0,10\r", "\r\n> "),
        ("simcomwill", "\r\nOK\r\n"),
        ("AT+CMQTTWILLMSG=0,6,1\r", "\r\n> "),
        ("goodby", "\r\nOK\r\n"),
        ("AT+CMQTTCONNECT=0,\"tcp://test.mosquitto.org:1883\",60,1\r", "\r\nOK\r\n\r\n+CMQTTCONNECT: 0,0\r\n"),
        ("AT+CMQTTSUB=0,9,1\r", "\r\n> "),
        ("simcommsg", "\r\nOK\r\n\r\n+CMQTTSUB: 0,0\r\n"),
        ("AT+CMQTTTOPIC=0,9\r", "\r\n> "),
        ("simcommsg", "\r\nOK\r\n"),
        ("AT+CMQTTPAYLOAD=0,60\r", "\r\n> "),
        (DIGITS, "\r\nOK\r\n"),
        ("AT+CMQTTPUB=0,1,60\r", "\r\nOK\r\n"),
    ];
    for (sent, expected) in steps {
        exchange(&mut host, sent, expected);
    }
    // The broker may return the message before or after it acknowledges it (decision 14).
    let block = format!(
        "\r\n+CMQTTRXSTART: 0,9,60\r\n+CMQTTRXTOPIC: 0,9\r\nsimcommsg\r\n+CMQTTRXPAYLOAD: 0,60\r\n{DIGITS}\r\n+CMQTTRXEND: 0\r\n"
    );
    let result = "\r\n+CMQTTPUB: 0,0\r\n";
    let mut said = host.until("+CMQTTRXEND: 0\r\n");
    if said.len() < block.len() + result.len() {
        said.push_str(&host.until(result));
    }
    assert!(said == format!("{result}{block}") || said == format!("{block}{result}"), "{said:?}");
    let steps = [
        ("AT+CMQTTSUB=0\r", "\r\nOK\r\n\r\n+CMQTTSUB: 0,0\r\n"),
        ("AT+CMQTTUNSUB=0,9,0\r", "\r\n> "),
        ("simcommsg", "\r\nOK\r\n\r\n+CMQTTUNSUB: 0,0\r\n"),
        ("AT+CMQTTDISC=0,120\r", "\r\nOK\r\n\r\n+CMQTTDISC: 0,0\r\n"),
        ("AT+CMQTTREL=0\r", "\r\nOK\r\n"),
        ("AT+CMQTTSTOP\r", "\r\nOK\r\n\r\n+CMQTTSTOP: 0\r\n"),
    ];
    for (sent, expected) in steps {
        exchange(&mut host, sent, expected);
    }
}
