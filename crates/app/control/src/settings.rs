//! What the controllers are told of the node they run on.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use adsum_model::{Instance, Name, Version};

#[derive(Clone, Debug)]
pub struct Settings {
    pub node: Name,
    /// Where its instances listen and are reached.
    pub address: IpAddr,
    /// The ports that instances get.
    pub ports: RangeInclusive<u16>,
    pub data_dir: PathBuf,
    /// Where the faces of this node are, as instances find them: `ADSUM_HTTP_ADDR` and so on.
    pub faces: BTreeMap<String, String>,
    /// Whether programs are started for checks that clients have registered.
    pub script_checks: bool,
}

impl Settings {
    /// Kept over restart and replacement of the slot's instance.
    pub fn slot_dir(&self, instance: &Instance) -> PathBuf {
        self.data_dir.join("slots").join(instance.service.as_str()).join(instance.slot.to_string())
    }

    /// Where an instance's output goes.
    pub fn log_file(&self, instance: &Instance) -> PathBuf {
        self.log_dir(&instance.service).join(format!("{}.log", instance.id))
    }

    pub(crate) fn log_dir(&self, service: &Name) -> PathBuf {
        self.data_dir.join("logs").join(service.as_str())
    }

    /// Where an instance, and its command check, begins: the agent's own directory when the spec names none.
    pub fn workdir(&self, version: &Version) -> PathBuf {
        let here = || std::env::current_dir().unwrap_or_else(|_| "/".into());
        version.task.workdir.as_ref().map_or_else(here, PathBuf::from)
    }

    /// The environment of an instance: the spec's, and over it what Adsum tells each instance.
    pub fn environment(&self, instance: &Instance, version: &Version) -> BTreeMap<String, String> {
        let mut env = version.task.env.clone();
        env.extend(self.faces.clone());
        env.extend([
            ("PORT".to_string(), instance.endpoint.port().to_string()),
            ("HOST".to_string(), instance.endpoint.ip().to_string()),
            ("ADSUM_SERVICE".to_string(), instance.service.to_string()),
            ("ADSUM_VERSION".to_string(), instance.version.to_string()),
            ("ADSUM_INSTANCE".to_string(), instance.id.to_string()),
            ("ADSUM_NODE".to_string(), instance.node.to_string()),
            ("ADSUM_DATA_DIR".to_string(), self.slot_dir(instance).display().to_string()),
        ]);
        env
    }
}
