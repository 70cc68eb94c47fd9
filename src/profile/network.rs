//! `(local PROTO "host:port" …)` and `(remote PROTO "host:port" …)` (`spec/sbpl-language.md` section 9).

use super::error::ProfileError;
use super::host::Evaluator;
use super::object::{FilterRef, Object};
use crate::policy::{Arg, Host, NetworkAddress, Test, protocol_name};
use crate::scheme::{Heap, Value};
use crate::vocab::{FilterForm, FilterInfo};

impl Evaluator<'_> {
    pub(super) fn network_filter(
        &mut self,
        info: &FilterInfo,
        arguments: &[Value],
        heap: &Heap,
    ) -> Result<FilterRef, ProfileError> {
        let (&first, rest) = arguments.split_first().ok_or_else(|| malformed(info, "it needs a protocol"))?;
        if self.get(first) == Some(&Object::UnixSocket) {
            return self.unix_socket(rest, heap);
        }
        let protocol = match first {
            Value::Int(number) => u8::try_from(number).ok().filter(|&number| protocol_name(number).is_some()),
            _ => None,
        };
        let protocol = protocol.ok_or_else(|| malformed(info, "the first argument must be a protocol such as tcp"))?;
        let mut tests = Vec::new();
        for &address in rest.iter().filter(|address| **address != Value::Nil) {
            let text = heap.bytes(address).ok_or(ProfileError::NetworkString(info.name))?;
            let (host, port) = parse_address(text)?;
            let arg = Arg::Network(NetworkAddress { protocol, host, port });
            tests.push(self.filters.test(Test { filter: info.id, arg }));
        }
        if tests.is_empty() {
            let arg = Arg::Network(NetworkAddress { protocol, host: Host::Any, port: None });
            tests.push(self.filters.test(Test { filter: info.id, arg }));
        }
        Ok(self.filters.any(tests))
    }

    /// The old form: path filters, paths, or nothing for any UNIX socket.
    fn unix_socket(&mut self, arguments: &[Value], heap: &Heap) -> Result<FilterRef, ProfileError> {
        let target = self.target();
        let mut filters = Vec::new();
        for (index, &argument) in arguments.iter().enumerate() {
            match self.get(argument) {
                Some(&Object::Filter(filter)) => filters.push(filter),
                _ => {
                    let info = target.filter_named("path").and_then(|id| target.filter(id));
                    let Some((info, text)) = info.zip(heap.bytes(argument)) else {
                        let found = argument.type_name();
                        return Err(ProfileError::FilterData {
                            filter: "path",
                            index: index + 2,
                            expected: "pattern",
                            found,
                        });
                    };
                    let arg = Arg::Pattern(self.pattern(info, FilterForm::Exact, text)?);
                    filters.push(self.filters.test(Test { filter: info.id, arg }));
                }
            }
        }
        if filters.is_empty() {
            let missing = ProfileError::NetworkString("remote");
            let (id, number) =
                target.filter_named("socket-domain").zip(target.symbol_value("AF_UNIX")).ok_or(missing)?;
            filters.push(self.filters.test(Test { filter: id, arg: Arg::Integer(number) }));
        }
        Ok(self.filters.any(filters))
    }
}

fn malformed(info: &FilterInfo, problem: &str) -> ProfileError {
    ProfileError::MalformedFilter { filter: info.name, problem: problem.to_owned() }
}

fn parse_address(text: &[u8]) -> Result<(Host, Option<u16>), ProfileError> {
    let colon = text.iter().rposition(|&byte| byte == b':').ok_or(ProfileError::NetworkPortMissing)?;
    let (host, port) = (text.get(..colon).unwrap_or_default(), text.get(colon + 1..).unwrap_or_default());
    let host = match host {
        b"*" => Host::Any,
        b"localhost" => Host::Localhost,
        _ => return Err(ProfileError::NetworkHost),
    };
    if port == b"*" {
        return Ok((host, None));
    }
    let digits = !port.is_empty() && port.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(port).ok().filter(|_| digits).and_then(|port| port.parse().ok());
    number.map(|port| (host, Some(port))).ok_or(ProfileError::NetworkPort)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        assert_eq!(parse_address(b"*:80"), Ok((Host::Any, Some(80))));
        assert_eq!(parse_address(b"localhost:*"), Ok((Host::Localhost, None)));
        assert_eq!(parse_address(b"10.0.0.1:80"), Err(ProfileError::NetworkHost));
        assert_eq!(parse_address(b"*"), Err(ProfileError::NetworkPortMissing));
        for port in ["*:1-9", "*:http", "*:70000", "*:", "*:+1"] {
            assert_eq!(parse_address(port.as_bytes()), Err(ProfileError::NetworkPort), "{port}");
        }
    }
}
