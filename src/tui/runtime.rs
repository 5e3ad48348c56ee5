//! The one loop: receive a message, take all that came with it, update, do what is wanted, draw if something changed.
//!
//! It knows neither screens nor the engine: a [`UiModel`] decides, a [`Host`] shows and does.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::Receiver;

use super::canvas::FrameInfo;
use super::effect::{Order, Request, Terminal};
use super::frame::Frames;
use super::message::Message;

/// At most so many messages are taken before a frame is drawn, so that a flood cannot keep the screen from moving.
const BATCH: usize = 256;

/// What decides: a model with its `update`.
pub trait UiModel {
    /// Takes a message. Gives what is to be done, and whether what is shown changed.
    fn update(&mut self, message: Message) -> (Vec<Order>, bool);

    /// What the last frame showed.
    fn set_last_frame(&mut self, frame: FrameInfo);

    /// When time alone changes what is shown: how often.
    fn next_tick(&self) -> Option<Duration>;
}

/// What shows and does.
pub trait Host<A> {
    /// What can go wrong.
    type Error;

    /// The next message from the terminal.
    fn input(&mut self) -> impl Future<Output = Option<Message>> + Send;

    /// Draws the app as it is.
    ///
    /// # Errors
    /// When the terminal went away.
    fn draw(&mut self, model: &A) -> Result<FrameInfo, Self::Error>;

    /// Does what concerns the terminal; messages may be the outcome.
    ///
    /// # Errors
    /// When the terminal went away. What a person can put right comes as a message.
    fn perform(&mut self, terminal: Terminal) -> Result<Vec<Message>, Self::Error>;

    /// Asks for what is done elsewhere; the outcome comes through the mailbox.
    fn ask(&mut self, request: Request);

    /// The time, as a message.
    fn tick(&self) -> Message;
}

/// Runs until the app quits, or the terminal is gone.
///
/// # Errors
/// When the terminal went away.
pub async fn run<A: UiModel, S: Host<A>>(
    model: &mut A,
    host: &mut S,
    mut mailbox: Receiver<Message>,
) -> Result<(), S::Error> {
    let mut frames = Frames::default();
    frames.request_now();
    let mut messages = VecDeque::new();
    let mut ticked = Instant::now();
    loop {
        if frames.due_in(Instant::now()) == Some(Duration::ZERO) {
            let begin = Instant::now();
            model.set_last_frame(host.draw(model)?);
            frames.drawn(begin, Instant::now());
        }
        let pause = frames.due_in(Instant::now());
        tokio::select! {
            biased;
            input = host.input() => match input {
                Some(message) => messages.push_back(message),
                None => return Ok(()),
            },
            Some(message) = mailbox.recv() => messages.push_back(message),
            () = sleep(pause) => continue,
            () = sleep(model.next_tick().map(|tick| tick.saturating_sub(ticked.elapsed()))) => {
                ticked = Instant::now();
                messages.push_back(host.tick());
            }
        }
        while messages.len() < BATCH
            && let Ok(message) = mailbox.try_recv()
        {
            messages.push_back(message);
        }
        while let Some(message) = messages.pop_front() {
            let awaited = message.is_awaited();
            let (orders, changed) = model.update(message);
            match (changed, awaited) {
                (true, true) => frames.request_now(),
                (true, false) => frames.request(),
                (false, _) => {}
            }
            for order in orders {
                match order {
                    Order::Quit => return Ok(()),
                    Order::Terminal(terminal) => messages.extend(host.perform(terminal)?),
                    Order::Backend(request) => host.ask(request),
                }
            }
        }
    }
}

/// Sleeps so long, or for ever.
async fn sleep(pause: Option<Duration>) {
    match pause {
        Some(pause) => tokio::time::sleep(pause).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::{KeyCode, KeyEvent};

    #[derive(Default)]
    struct Counter {
        updates: usize,
        frames: usize,
    }

    impl UiModel for Counter {
        fn update(&mut self, message: Message) -> (Vec<Order>, bool) {
            self.updates += 1;
            match message {
                Message::Key(_) => (vec![Order::Quit], false),
                Message::Focus(_) => (vec![], false),
                Message::Done(_) => (vec![Order::Terminal(Terminal::Copy("x".to_owned()))], true),
                _ => (vec![], true),
            }
        }
        fn set_last_frame(&mut self, _: FrameInfo) {
            self.frames += 1;
        }
        fn next_tick(&self) -> Option<Duration> {
            None
        }
    }

    /// A host on which the terminal says nothing until the mailbox is empty, then quits.
    struct Fake {
        draws: usize,
        performed: usize,
        keys: tokio::sync::mpsc::Receiver<Message>,
    }

    impl Host<Counter> for Fake {
        type Error = std::convert::Infallible;
        async fn input(&mut self) -> Option<Message> {
            self.keys.recv().await
        }
        fn draw(&mut self, _: &Counter) -> Result<FrameInfo, Self::Error> {
            self.draws += 1;
            Ok(FrameInfo::default())
        }
        fn perform(&mut self, _: Terminal) -> Result<Vec<Message>, Self::Error> {
            self.performed += 1;
            Ok(vec![Message::Resize(1, 1)])
        }
        fn ask(&mut self, _: Request) {}
        fn tick(&self) -> Message {
            Message::Focus(true)
        }
    }

    async fn played(messages: Vec<Message>) -> (Counter, Fake) {
        let (post, mailbox) = tokio::sync::mpsc::channel(10_000);
        for message in messages {
            post.send(message).await.unwrap();
        }
        let (press, keys) = tokio::sync::mpsc::channel(1);
        let mut host = Fake { draws: 0, performed: 0, keys };
        let mut app = Counter::default();
        let keyboard = async {
            // The mailbox gives its sender back when it has been emptied.
            while post.capacity() < post.max_capacity() {
                tokio::task::yield_now().await;
            }
            press.send(Message::Key(KeyEvent::from(KeyCode::Char('q')))).await.unwrap();
        };
        let (outcome, ()) = tokio::join!(run(&mut app, &mut host, mailbox), keyboard);
        outcome.unwrap();
        (app, host)
    }

    #[tokio::test]
    async fn a_flood_of_messages_becomes_few_frames() {
        let (app, host) = played(vec![Message::Resize(1, 1); 5_000]).await;
        assert_eq!(app.updates, 5_001);
        assert!(host.draws < 100, "{} frames", host.draws);
    }

    #[tokio::test]
    async fn nothing_is_drawn_for_what_changes_nothing() {
        let (app, host) = played(vec![Message::Focus(true); 10]).await;
        assert_eq!((app.updates, host.draws, app.frames), (11, 1, 1));
    }

    #[tokio::test]
    async fn the_outcome_of_an_effect_is_a_message() {
        let (app, host) = played(vec![Message::Done("x".to_owned())]).await;
        assert_eq!((host.performed, app.updates), (1, 3));
    }
}
