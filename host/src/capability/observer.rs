//! `wardian:host/observer`: shows the user what happens.

use crate::agent::State;
use crate::agent::bindings::wardian::host::observer::Host;
use crate::wit::Event;

impl Host for State {
    fn notify(&mut self, event: Event) -> wasmtime::Result<()> {
        self.ui.event(event);
        Ok(())
    }
}
