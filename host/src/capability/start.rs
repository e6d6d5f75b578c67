//! `wardian:host/start`: where a program starts that does not ask for it.

use super::Lent;
use super::lent::wardian::host::start::Host;

impl Host for Lent<'_> {
    fn directory(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(self.directory.map(str::to_owned))
    }
}
