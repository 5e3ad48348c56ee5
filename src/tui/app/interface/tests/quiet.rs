//! Nothing wakes the program while nothing happens.

use super::ahead::history;
use super::*;

const MINUTE: Option<Duration> = Some(Duration::from_mins(1));

fn written(interface: &mut Interface, seconds: i64) -> Vec<Order> {
    tell(interface, Message::Written(at(seconds)))
}

#[test]
fn home_inbox_and_history_look_at_the_clock_once_a_minute_when_nobody_writes() {
    for mut interface in [home(), inbox(review()), history()] {
        assert_eq!(interface.next_tick(), Some(Duration::from_secs(2)), "where nothing is told of what others write");
        written(&mut interface, 500);
        tell(&mut interface, Message::Tick(at(508)));
        assert_eq!(interface.next_tick(), Some(Duration::from_secs(2)), "a commit may still be under way");
        tell(&mut interface, Message::Tick(at(510)));
        assert_eq!(interface.next_tick(), MINUTE);
        let orders = written(&mut interface, 700);
        let lists = |order: &Order| {
            let Order::Backend(Request::Errand(errand)) = order else { return false };
            matches!(
                errand,
                Errand::ListRuns | Errand::ListWaiting { anew: false } | Errand::CheckHistory { going: false }
            )
        };
        assert!(orders.iter().any(lists), "what was written is looked at");
        assert_eq!(interface.next_tick(), Some(Duration::from_secs(2)));
        tell(&mut interface, Message::Tick(at(711)));
        tell(&mut interface, Message::Unwatched);
        assert_eq!(interface.next_tick(), Some(Duration::from_secs(2)));
    }
}

#[test]
fn where_something_goes_on_the_clock_is_looked_at_every_second() {
    let mut interface = home();
    written(&mut interface, 500);
    tell(&mut interface, Message::Tick(at(600)));
    tell(&mut interface, Message::OpenRuns(vec![listed("a run", Status::Running, 0, 0)]));
    assert_eq!(interface.next_tick(), Some(Duration::from_secs(1)));
}
