//! The system that a run is made on, as far as files of that system tell.

use crate::probe::artifact::Host;
use crate::sandbox::seatbelt::System;

/// This system; `mac` is asked what no file tells.
pub(super) fn host(mac: Option<&System>) -> Host {
    let (version, build) = match std::env::consts::OS {
        "macos" => {
            let text = std::fs::read_to_string("/System/Library/CoreServices/SystemVersion.plist").unwrap_or_default();
            (plist_string(&text, "ProductVersion"), plist_string(&text, "ProductBuildVersion"))
        }
        "linux" => {
            let text = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
            (Some(text.trim().to_owned()).filter(|version| !version.is_empty()), None)
        }
        _ => (None, None),
    };
    let sip_config = mac.and_then(|mac| mac.integrity_protection().ok()?.ok());
    Host {
        os: std::env::consts::OS.to_owned(),
        version,
        build,
        arch: std::env::consts::ARCH.to_owned(),
        sip: sip_config.map(|bits| bits == 0),
        sip_source: Some(if sip_config.is_some() { "csr_get_active_config" } else { "not_available" }.to_owned()),
        sip_config,
    }
}

/// The string behind `key` in the flat XML property list that describes a macOS.
fn plist_string(text: &str, key: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<key>{key}</key>"))?;
    let (_, rest) = rest.split_once("<string>")?;
    let (value, _) = rest.split_once("</string>")?;
    Some(value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_of_a_mac() {
        let text = "<dict>\n<key>ProductBuildVersion</key>\n<string>23E224</string>\n<key>ProductVersion</key>\n\
                    \t<string>14.4.1</string>\n</dict>";
        assert_eq!(plist_string(text, "ProductVersion").as_deref(), Some("14.4.1"));
        assert_eq!(plist_string(text, "ProductBuildVersion").as_deref(), Some("23E224"));
        assert_eq!(plist_string(text, "ProductName"), None);
    }
}
