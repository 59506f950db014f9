//! One demo device through time: everything about it follows from its number and the moment.

use rollcall_shared::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use rollcall_shared::{DeviceId, Digest, HardwareIds, Timestamp};

use super::image::{Image, Shape};
use super::random::Random;
use super::words::{self, Model};

/// Milliseconds of a week of patches.
const WEEK_MS: i64 = 7 * DAY_MS;
/// Every demo device's id begins with this moment, so that its ids stay the same.
const ID_MS: u64 = 1_760_000_000_000;

/// A person who uses demo devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Person {
    /// Sign-in name.
    pub(super) user: String,
    /// Name.
    pub(super) full_name: String,
}

impl Person {
    fn of(random: &mut Random) -> Self {
        let (given, family) = (random.pick(words::GIVEN), random.pick(words::FAMILY));
        Self {
            user: format!("{}.{}", plain(given), plain(family)),
            full_name: format!("{given} {family}"),
        }
    }
}

/// Letters without their marks, as directories write sign-in names.
fn plain(name: &str) -> String {
    let mut out = String::new();
    for letter in name.to_lowercase().chars() {
        match letter {
            'ä' => out.push_str("ae"),
            'ö' | 'ø' => out.push_str("oe"),
            'ü' => out.push_str("ue"),
            'ß' => out.push_str("ss"),
            'é' | 'è' | 'ë' | 'ê' => out.push('e'),
            'ç' => out.push('c'),
            'ł' => out.push('l'),
            'ï' | 'ı' => out.push('i'),
            'ō' => out.push('o'),
            letter if letter.is_ascii_alphanumeric() => out.push(letter),
            _ => {}
        }
    }
    out
}

/// What does not go well on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each trouble comes alone or with others")]
pub(super) struct Trouble {
    pub(super) full_disk: bool,
    pub(super) reboot: bool,
    pub(super) stale_lists: bool,
    pub(super) old_agent: bool,
    /// Its clock minus the right time.
    pub(super) clock_error_ms: i64,
}

/// One synthetic device.
#[derive(Debug, Clone)]
pub struct DemoDevice {
    pub(super) number: u64,
    pub(super) image: &'static Image,
    pub(super) model: Model,
    pub(super) site: (&'static str, u8, &'static str, &'static str),
    /// Its department.
    pub department: &'static str,
    pub(super) serial: String,
    pub(super) trouble: Trouble,
    pub(super) memory_gib: u64,
    pub(super) disk_gb: u64,
    people: [Person; 2],
    started_at: Timestamp,
    last_seen_at: Timestamp,
    /// Weeks between its patch days; absent when nobody patches it.
    patch_weeks: Option<i64>,
    renamed_at: Option<Timestamp>,
    moved_at: Option<Timestamp>,
    memory_added_at: Option<Timestamp>,
    disk_replaced_at: Option<Timestamp>,
    /// The collector once heard another computer speak with its key.
    pub cloned: bool,
}

/// What a device is like at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State<'a> {
    pub(super) at: Timestamp,
    pub(super) hostname: String,
    pub(super) person: &'a Person,
    pub(super) memory_added: bool,
    pub(super) disk_replaced: bool,
    /// The patch week its software is of.
    pub(super) week: i64,
    /// Weeks it is behind.
    pub(super) weeks_behind: i64,
}

impl DemoDevice {
    /// The device of this number as it would be if the present were `now`.
    pub fn new(number: u64, now: Timestamp) -> Self {
        let mut random = Random::of(&[1, number]);
        let image = Image::of(&mut random);
        let model = match image.shape {
            Shape::Server => random.pick(words::SERVERS),
            Shape::Desktop => random.pick(words::DESKTOPS),
            Shape::Laptop => random.pick(words::LAPTOPS),
            Shape::Mac => random.pick(words::MACS),
        };
        let started_at = now.plus_ms(-random.between(60 * DAY_MS, 90 * DAY_MS));
        let silent_ms = match (random.below(100), image.shape) {
            (0..5, Shape::Server) => random.between(2 * DAY_MS, 12 * DAY_MS),
            (0..5, _) => random.between(16 * DAY_MS, 45 * DAY_MS),
            (5..17, Shape::Laptop | Shape::Mac) => random.between(3 * HOUR_MS, 6 * DAY_MS),
            (5..9, Shape::Desktop) => random.between(3 * HOUR_MS, 3 * DAY_MS),
            _ => random.between(MINUTE_MS, 80 * MINUTE_MS),
        };
        let last_seen_at = now.plus_ms(-silent_ms);
        let patched = image.patched && !random.chance(8);
        let patch_weeks = patched.then(|| random.pick(&[1, 2, 2, 4]));
        let within = last_seen_at.since(started_at);
        let mut once = |percent: u64| {
            let at = random.between(within / 10, within - HOUR_MS);
            random.chance(percent).then(|| started_at.plus_ms(at))
        };
        let server = image.shape == Shape::Server;
        let soldered = image.shape == Shape::Mac;
        let renamed_at = once(8);
        let moved_at = once(if server { 0 } else { 15 });
        let memory_added_at = once(if soldered { 0 } else { 14 });
        let disk_replaced_at = once(if soldered { 0 } else { 6 });
        let trouble = Trouble {
            full_disk: random.chance(5),
            reboot: random.chance(8),
            stale_lists: random.chance(3),
            old_agent: random.chance(4),
            clock_error_ms: if random.chance(2) { random.between(20, 900) * MINUTE_MS } else { 0 },
        };
        Self {
            number,
            image,
            model,
            site: random.pick(words::SITES),
            department: if server { "IT" } else { random.pick(words::DEPARTMENTS) },
            serial: serial(model.0, &mut random),
            trouble,
            memory_gib: if server {
                random.pick(&[64, 128, 256])
            } else {
                random.pick(&[8, 16, 16, 32])
            },
            disk_gb: if server {
                random.pick(&[960, 1920, 3840])
            } else {
                random.pick(&[256, 512, 512, 1024])
            },
            people: [Person::of(&mut random), Person::of(&mut random)],
            started_at,
            last_seen_at,
            patch_weeks,
            renamed_at,
            moved_at,
            memory_added_at,
            disk_replaced_at,
            cloned: random.chance(1),
        }
    }

    /// Its id, the same each time.
    pub fn id(&self) -> DeviceId {
        let mut random = Random::of(&[2, self.number]);
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&random.bits().to_be_bytes());
        bytes[8..].copy_from_slice(&random.bits().to_be_bytes()[..2]);
        DeviceId(uuid::Builder::from_unix_timestamp_millis(ID_MS, &bytes).into_uuid())
    }

    /// A public key to which nobody has the secret one.
    pub fn public_key(&self) -> [u8; 32] {
        Digest::of(format!("demo key {}", self.number).as_bytes()).0
    }

    /// Its site.
    pub fn site(&self) -> &'static str {
        self.site.0
    }

    /// What its hardware says of itself.
    pub fn hardware_ids(&self) -> HardwareIds {
        let mut random = Random::of(&[3, self.number]);
        let uuid = uuid::Builder::from_random_bytes(
            (u128::from(random.bits()) << 64 | u128::from(random.bits())).to_be_bytes(),
        );
        HardwareIds {
            serial: Some(self.serial.clone()),
            uuid: Some(uuid.into_uuid().to_string()),
            board_serial: Some(format!("L1HF{:07X}", random.below(1 << 28))),
            machine_id_digest: Some(
                Digest::of(format!("demo machine {}", self.number).as_bytes()).to_string(),
            ),
            macs: vec![self.mac(0)],
        }
    }

    /// The MAC address of its n-th adapter.
    pub(super) fn mac(&self, adapter: u64) -> String {
        let prefix = match self.model.0 {
            "LENOVO" => "8c:8c:aa",
            "Dell Inc." => "d0:8e:79",
            "HP" | "HPE" => "3c:52:82",
            "Apple Inc." => "f0:18:98",
            _ => "52:54:00",
        };
        let rest = Random::of(&[4, self.number, adapter]).bits().to_be_bytes();
        format!("{prefix}:{:02x}:{:02x}:{:02x}", rest[0], rest[1], rest[2])
    }

    /// Its host name at a moment.
    pub fn hostname(&self, at: Timestamp) -> String {
        let site = self.site.0[..3].to_lowercase();
        let number = self.number;
        let renamed = self.renamed_at.is_some_and(|renamed| at >= renamed);
        match (self.image.shape, renamed) {
            (Shape::Server, false) => format!("srv-{site}-{number:03}"),
            (Shape::Server, true) => format!("db-{site}-{number:03}"),
            (Shape::Desktop, false) => format!("pc-{number:04}"),
            (Shape::Desktop, true) => format!("ws-{site}-{number:04}"),
            (Shape::Laptop, false) => format!("LT-{number:04}"),
            (Shape::Laptop, true) => format!("NB-{number:04}"),
            (Shape::Mac, false) => format!("mac-{number:04}"),
            (Shape::Mac, true) => format!("{}s-macbook", plain(&self.people[0].full_name)),
        }
    }

    /// The moments of its reports, oldest first: when something changed, and the last one.
    pub fn moments(&self) -> Vec<Timestamp> {
        let mut moments = vec![self.started_at, self.last_seen_at];
        moments.extend(self.renamed_at);
        moments.extend(self.moved_at);
        moments.extend(self.memory_added_at);
        moments.extend(self.disk_replaced_at);
        if let Some(weeks) = self.patch_weeks {
            let first = self.started_at.0.div_euclid(WEEK_MS) + 1;
            let last = self.last_seen_at.0.div_euclid(WEEK_MS);
            let days = (first..=last).filter(|week| week.rem_euclid(weeks) == 0);
            moments.extend(days.map(|week| Timestamp(self.patch_day(week))));
        }
        moments.retain(|at| (self.started_at..=self.last_seen_at).contains(at));
        moments.sort_unstable();
        moments.dedup();
        moments
    }

    /// When it installs a week's patches: the same weekday for all, an hour of its own.
    fn patch_day(&self, week: i64) -> i64 {
        let lag = Random::of(&[5, self.number]).between(0, 30 * HOUR_MS);
        week * WEEK_MS + 5 * DAY_MS + 2 * HOUR_MS + lag
    }

    pub(super) fn state(&self, at: Timestamp) -> State<'_> {
        let is_past = |event: Option<Timestamp>| event.is_some_and(|event| at >= event);
        let current = at.0.div_euclid(WEEK_MS);
        let installed = self.started_at.0.div_euclid(WEEK_MS);
        let week = match self.patch_weeks {
            Some(weeks) => (installed + 1..=current)
                .rev()
                .find(|week| week.rem_euclid(weeks) == 0 && self.patch_day(*week) <= at.0)
                .unwrap_or(installed),
            None => installed - 20,
        };
        State {
            at,
            hostname: self.hostname(at),
            person: &self.people[usize::from(is_past(self.moved_at))],
            memory_added: is_past(self.memory_added_at),
            disk_replaced: is_past(self.disk_replaced_at),
            week,
            weeks_behind: current - week,
        }
    }
}

fn serial(maker: &str, random: &mut Random) -> String {
    const LETTERS: &[u8] = b"0123456789ABCDEFGHJKLMNPQRSTUVWXYZ";
    let (prefix, length) = match maker {
        "LENOVO" => ("PF", 6),
        "Dell Inc." => ("", 7),
        "HP" | "HPE" => ("5CG", 7),
        "Apple Inc." => ("C02", 7),
        _ => ("VM", 8),
    };
    let letters = (0..length).map(|_| char::from(random.pick(LETTERS)));
    prefix.chars().chain(letters).collect()
}
