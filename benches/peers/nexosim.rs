//! NeXosim, a simulator of discrete events, with its executor for one thread. All models are there
//! when a simulation starts, so that a customer is a message and the server of a queue a model.

use std::collections::VecDeque;
use std::time::Duration;

use hothouse::bench::{Peer, time};
use hothouse::{Stream, StreamKind};
use nexosim::model::{BuildContext, Context, Model, ProtoModel, schedulable};
use nexosim::ports::Output;
use nexosim::simulation::{Mailbox, SimInit, Simulation};
use nexosim::time::MonotonicTime;
use serde::{Deserialize, Serialize};

use super::counter::Counter;
use super::customers::{Customer, Customers};

const NAME: &str = "nexosim";

pub(super) const PEERS: [Peer; 2] = [
    Peer { row: "hold", name: NAME, measure: |count| hold(1_000, count) },
    Peer { row: "mm1", name: NAME, measure: mm1 },
];

fn init(simulation: SimInit) -> Simulation {
    simulation.init(MonotonicTime::EPOCH).expect("a simulation")
}

/// The nanosecond that it is.
fn now<M: Model>(context: &Context<M>) -> u64 {
    let nanos = context.time().duration_since(MonotonicTime::EPOCH).as_nanos();
    nanos.try_into().expect("a few simulated days")
}

/// A process that sleeps random times. What a model can't save is its environment.
#[derive(Serialize, Deserialize)]
struct Holder {
    left: u64,
    until: u64,
}

struct Spans {
    stream: Stream,
    exact: Counter,
}

#[Model(type Env = Spans)]
impl Holder {
    #[nexosim(init)]
    async fn init(&mut self, context: &Context<Self>, env: &mut Spans) {
        self.sleep(context, env);
    }

    #[nexosim(schedulable)]
    async fn wake(&mut self, (): (), context: &Context<Self>, env: &mut Spans) {
        env.exact.add(u64::from(now(context) == self.until));
        self.left -= 1;
        if self.left > 0 {
            self.sleep(context, env);
        }
    }

    fn sleep(&mut self, context: &Context<Self>, env: &mut Spans) {
        let span = 1 + env.stream.below(1_000_000);
        self.until += span;
        let span = Duration::from_nanos(span);
        context.schedule_event(span, schedulable!(Self::wake), ()).expect("it is later");
    }
}

struct HolderProto(Holder, Spans);

impl ProtoModel for HolderProto {
    type Model = Holder;

    fn build(self, _: &mut BuildContext<Self>) -> (Holder, Spans) {
        (self.0, self.1)
    }
}

fn hold(models: u64, count: u64) -> f64 {
    let rounds = count.div_ceil(models);
    let exact = Counter::default();
    let mut simulation = SimInit::with_num_threads(1);
    for model in 0..models {
        let stream = Stream::derive(14, StreamKind::Workload, model);
        let spans = Spans { stream, exact: exact.clone() };
        let holder = HolderProto(Holder { left: rounds, until: 0 }, spans);
        simulation = simulation.add_model(holder, Mailbox::new(), "holder");
    }
    let mut simulation = init(simulation);
    let (nanos, ran) = time(|| simulation.run());
    ran.expect("it runs to the end");
    assert_eq!(exact.get(), models * rounds);
    nanos / (models * rounds) as f64
}

/// Where customers come from.
#[derive(Serialize, Deserialize)]
struct Source {
    next: Option<Customer>,
    customers: Output<Customer>,
}

struct Arrivals {
    customers: Customers,
    /// What all of them spend in the system, told with the last one.
    expected: Counter,
}

#[Model(type Env = Arrivals)]
impl Source {
    #[nexosim(init)]
    async fn init(&mut self, context: &Context<Self>, env: &mut Arrivals) {
        self.wait(context, env);
    }

    #[nexosim(schedulable)]
    async fn arrive(&mut self, (): (), context: &Context<Self>, env: &mut Arrivals) {
        let customer = self.next.expect("it is due");
        self.customers.send(customer).await;
        self.wait(context, env);
    }

    fn wait(&mut self, context: &Context<Self>, env: &mut Arrivals) {
        self.next = env.customers.next();
        let Some(customer) = self.next else { return env.expected.add(env.customers.sojourn) };
        let span = Duration::from_nanos(customer.arrival - now(context));
        context.schedule_event(span, schedulable!(Self::arrive), ()).expect("it is later");
    }
}

struct SourceProto(Output<Customer>, Arrivals);

impl ProtoModel for SourceProto {
    type Model = Source;

    fn build(self, _: &mut BuildContext<Self>) -> (Source, Arrivals) {
        (Source { next: None, customers: self.0 }, self.1)
    }
}

/// The one who serves, and those who wait: the first of them is being served.
#[derive(Default, Serialize, Deserialize)]
struct Server(VecDeque<Customer>);

struct Served {
    customers: Counter,
    sojourn: Counter,
}

#[Model(type Env = Served)]
impl Server {
    async fn queue(&mut self, customer: Customer, context: &Context<Self>) {
        self.0.push_back(customer);
        if self.0.len() == 1 {
            self.serve(context);
        }
    }

    #[nexosim(schedulable)]
    async fn depart(&mut self, (): (), context: &Context<Self>, env: &mut Served) {
        let customer = self.0.pop_front().expect("it was served");
        env.sojourn.add(now(context) - customer.arrival);
        env.customers.add(1);
        self.serve(context);
    }

    fn serve(&mut self, context: &Context<Self>) {
        let Some(customer) = self.0.front() else { return };
        let service = Duration::from_nanos(customer.service);
        context.schedule_event(service, schedulable!(Self::depart), ()).expect("it is later");
    }
}

struct ServerProto(Served);

impl ProtoModel for ServerProto {
    type Model = Server;

    fn build(self, _: &mut BuildContext<Self>) -> (Server, Served) {
        (Server::default(), self.0)
    }
}

fn mm1(count: u64) -> f64 {
    let [expected, served, sojourn] = <[Counter; 3]>::default();
    let mailbox = Mailbox::new();
    let mut output = Output::new();
    output.connect(Server::queue, &mailbox);
    let customers = Customers::new(count, 1_000_000.0);
    let source = SourceProto(output, Arrivals { customers, expected: expected.clone() });
    let server = ServerProto(Served { customers: served.clone(), sojourn: sojourn.clone() });
    let simulation = SimInit::with_num_threads(1).add_model(server, mailbox, "server");
    let mut simulation = init(simulation.add_model(source, Mailbox::new(), "source"));
    let (nanos, ran) = time(|| simulation.run());
    ran.expect("it runs to the end");
    assert_eq!(served.get(), count);
    assert_eq!(sojourn.get(), expected.get());
    nanos / count as f64
}
