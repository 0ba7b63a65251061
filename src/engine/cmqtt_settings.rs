//! The settings of an SIMCom client as one table: what AT+CMQTTCFG? reports, and what is kept for the next connection.

use indexmap::IndexMap;

use crate::engine::client::Client;
use crate::engine::client::Setting;
use crate::engine::cmqtt::KEEP_ALIVE_S;
use crate::engine::commands::Goal;
use crate::engine::identity::plain;
use crate::engine::names;
use crate::engine::settings::value_of;
use crate::engine::value::Value;
use crate::engine::wait::Until;
use crate::error::Error;
use crate::proto::command_line;

impl Client {
    /// What AT+CMQTTCFG? reports, and what is kept for the next connection.
    pub(crate) fn cmqtt_settings(&self, until: &Until<'_>) -> Result<IndexMap<String, Setting>, Error> {
        let command = names::settings(self.dialect())?;
        self.start_service(until)?;
        let exchange = self.port().execute(plain("AT+CMQTTCFG?"), until, Goal::Complete)?;
        if let Some(error) = self.port().verdict(&exchange) {
            return Err(error);
        }
        let lines = exchange.record().lines();
        let mut values: Setting = Setting::new();
        for line in &lines {
            let fields = line.split_once(':').map(|(_, rest)| command_line::fields(rest.trim_start().as_bytes()));
            let fields: Vec<Value> = fields.unwrap_or_default().into_iter().map(value_of).collect();
            if fields.first() == Some(&Value::Int(self.index.into()))
                && let Some(shape) = command.read_reply.first()
            {
                values.extend(shape.iter().cloned().zip(fields));
            }
        }
        let wishes = self.slot().facts.lock().wishes.clone();
        let mut settings = IndexMap::new();
        for (key, params) in names::setting_names(self.dialect()) {
            let wish = match wishes.get(&key) {
                Some(Value::List(values)) => values.clone(),
                _ => Vec::new(),
            };
            let setting = params.iter().enumerate().filter_map(|(at, param)| {
                wish.get(at).or_else(|| values.get(param)).map(|value| (param.clone(), value.clone()))
            });
            settings.insert(key, setting.collect());
        }
        let connect: Setting = names::WISHES
            .iter()
            .map(|name| {
                let otherwise = if *name == "keepalive_time" { KEEP_ALIVE_S } else { 0 };
                ((*name).to_owned(), wishes.get(*name).cloned().unwrap_or(Value::Int(otherwise)))
            })
            .collect();
        settings.insert("connect".to_owned(), connect);
        Ok(settings)
    }
}
