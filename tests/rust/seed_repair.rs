//! Undoes what the machine translation of document 002 did to command names and parameters; driven by `seeds.rs`.
//!
//! Tokens only: what stands on the left means the token on the right wherever it occurs. Quotation marks are not restored.

/// Translated, and what it was. Longer ones first where one begins another.
const TOKENS: &[(&str, &str)] = &[
    // Commands and replies.
    ("CMQTTTRX有效负载", "CMQTTRXPAYLOAD"),
    ("CMQTTRX有效负载", "CMQTTRXPAYLOAD"),
    ("CMQTTTRX启动", "CMQTTRXSTART"),
    ("CMQTTTRX开始", "CMQTTRXSTART"),
    ("CMQTTTRX主题", "CMQTTRXTOPIC"),
    ("CMQTTRX 主题", "CMQTTRXTOPIC"),
    ("CMQTTTRX", "CMQTTRX"),
    ("CMQTT开始", "CMQTTSTART"),
    ("CMQTT停止", "CMQTTSTOP"),
    ("CMQTT 连接", "CMQTTCONNECT"),
    ("CMQTT连接", "CMQTTCONNECT"),
    ("CMQTT主题", "CMQTTTOPIC"),
    ("CMQTT有效负载", "CMQTTPAYLOAD"),
    ("CMQTTWILL主题", "CMQTTWILLTOPIC"),
    ("CMQTTTPAYLOAD", "CMQTTPAYLOAD"),
    ("CMQTTTREL", "CMQTTREL"),
    ("CMQTTTTTPUB", "CMQTTPUB"),
    ("CMQTTTTPUB", "CMQTTPUB"),
    ("CMQTTTPUB", "CMQTTPUB"),
    ("CMQTT PUB", "CMQTTPUB"),
    ("CMQTTTTSUB", "CMQTTSUB"),
    ("CMQTTTDISC", "CMQTTDISC"),
    ("CMQTTSSSLCFG", "CMQTTSSLCFG"),
    ("CSSLFCFG", "CSSLCFG"),
    ("SSSLCFG= ", "CSSLCFG= "),
    ("AT+SSLFCFG", "AT+CSSLCFG"),
    ("CCSSLCFG", "CSSLCFG"),
    ("CMQTTCSSLCFG", "CMQTTSSLCFG"),
    // Parameters.
    ("<客户端索引>", "<client_index>"),
    ("<客户端 t_index>", "<client_index>"),
    ("<client_i 索引>", "<client_index>"),
    ("<client_inindex>", "<client_index>"),
    ("<客户端ID>", "<clientid>"),
    ("<服务器类型>", "<server_type>"),
    ("<错误代码>", "<err>"),
    ("<错误>", "<err>"),
    ("<会话 n_id>", "<session_id>"),
    ("<会话 ID>", "<session_id>"),
    ("<ssl_ctx_索引>", "<ssl_ctx_index>"),
    ("<请求长度>", "<req_length>"),
    ("<服务质量>", "<qos>"),
    ("<服务器地址>", "<server_addr>"),
    ("<保持活动时间>", "<keepalive_time>"),
    ("<清洁会话>", "<clean_session>"),
    ("<用户名>", "<user_name>"),
    ("<密码>", "<pass_word>"),
    ("<超时>", "<timeout>"),
    ("<光盘状态>", "<disc_state>"),
    ("<发布超时>", "<pub_timeout>"),
    ("<维护>", "<retained>"),
    ("<保留>", "<retained>"),
    ("<重复>", "<dup>"),
    ("<主题>", "<topic>"),
    ("<索引>", "<index>"),
    ("<检查UTF8_标志>", "<checkutf8_flag>"),
    ("<检查UTF8_ lag >", "<checkutf8_flag>"),
    ("<checkUTF8_ lag>", "<checkutf8_flag>"),
    ("<优化超时值>", "<optimeout_val>"),
    ("<原因>", "<cause>"),
    ("<主题总长度>", "<topic_total_len>"),
    ("<有效负载总长度>", "<payload_total_len>"),
    ("<子主题长度>", "<sub_topic_len>"),
    ("<子主题>", "<sub_topic>"),
    ("<子有效负载长度>", "<sub_payload_len>"),
    ("<子有效负载>", "<sub_payload>"),
    // Values in examples.
    ("客户端测试0", "client test0"),
    ("组织:1883", "org:1883"),
    ("优化超时", "optimeout"),
    ("检查UTF 8", "checkUTF8"),
    ("检查UTF8", "checkUTF8"),
    ("ssl版本", "sslversion"),
    ("mqttp_server:端口", "mqttp_server:port"),
    // Seconds became decades.
    ("年代", "秒"),
    // "type the data here" is an instruction.
    ("<在此输入数据>", ""),
];

/// The text with its tokens restored and its ranges written with a hyphen.
pub fn repair(text: &str) -> String {
    let mut text = text.replace("&lt;", "<").replace("&gt;", ">").replace("\\_", "_");
    for (translated, token) in TOKENS {
        text = text.replace(translated, token);
    }
    for word in ["秒到", "秒至", "开始至", "开始\n至", "到", "至"] {
        text = hyphenate(&text, word);
    }
    text
}

/// `20 到 120` is the range 20-120; between words the same sign is left alone.
fn hyphenate(text: &str, word: &str) -> String {
    let parts: Vec<&str> = text.split(word).collect();
    let mut out = String::from(parts[0]);
    for pair in parts.windows(2) {
        let before = pair[0].trim_end_matches(' ').ends_with(|c: char| c.is_ascii_digit());
        let after = pair[1].trim_start_matches(' ').starts_with(|c: char| c.is_ascii_digit());
        out.push_str(if before && after { "-" } else { word });
        out.push_str(pair[1]);
    }
    out
}
