//! Displays at a Mac, from the I/O registry.

use rollcall_shared::section::{Display, Section};

use super::edid;
use crate::host::Host;
use crate::io_registry::{Entry, number_of, text_of};
use crate::order;
use crate::source::{Gathered, Platform, Privilege, Source};

/// The declaration.
pub const MACOS: Source = Source {
    name: "mac_display",
    section: "display",
    about: "Displays in the I/O registry: by their EDID (IODisplay), and as Apple's chips tell of them (IOMobileFramebuffer)",
    platforms: &[Platform::Macos],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let mut rows = Vec::new();
    for (class, display) in
        [("IODisplay", by_edid as fn(&Entry) -> Option<Display>), ("IOMobileFramebuffer", by_chip)]
    {
        match host.io_registry(class, 0) {
            Ok(found) => rows.extend(found.iter().filter_map(display)),
            Err(error) => return Gathered::absent(error.into()),
        }
    }
    order::sort(&mut rows, Ord::cmp);
    Gathered::of(Section::Display(rows))
}

/// A display of a Mac with a processor of Intel.
fn by_edid(entry: &Entry) -> Option<Display> {
    let told = edid::parse(entry.properties.bytes("IODisplayEDID")?)?;
    // `…/AppleIntelFramebuffer@0/display0/AppleBacklightDisplay-610-a02a`
    let key = entry.text("IODisplayPrefsKey").unwrap_or_default();
    let connector = key.rsplit('/').nth(2).unwrap_or_default();
    Some(Display {
        connector: connector.to_owned(),
        built_in: entry.class().is_some_and(|class| class == "AppleBacklightDisplay"),
        ..told
    })
}

/// A display at a chip of Apple, which takes the EDID apart itself.
fn by_chip(entry: &Entry) -> Option<Display> {
    let external = entry.properties.flag("external") == Some(true);
    let attributes = entry.properties.get("DisplayAttributes")?;
    let product = attributes.get("ProductAttributes")?;
    let is_told = product.entries().next().is_some();
    let size = |name: &str| {
        let size = u32::try_from(number_of(attributes.get(name)?)?).ok()?;
        (size > 0).then_some(size)
    };
    let own_size = |name: &str| u32::try_from(entry.number(name)?).ok().filter(|size| *size > 0);
    // A connector with nothing at it keeps what the chip can do.
    if !is_told && (external || own_size("DisplayWidth").is_none()) {
        return None;
    }
    let number = |name: &str| number_of(product.get(name)?);
    let text = |name: &str| product.get(name).and_then(text_of);
    let letters = text("ManufacturerID");
    let code = number("ProductID").filter(|_| is_told);
    let serial = number("SerialNumber").filter(|number| !edid::is_placeholder(*number));
    Some(Display {
        connector: connector(entry),
        manufacturer: letters.as_deref().map(edid::maker_name),
        model: text("ProductName"),
        product_id: letters.zip(code).map(|(letters, code)| format!("{letters}{code:04X}")),
        serial: text("AlphanumericSerialNumber").or_else(|| Some(serial?.to_string())),
        year: number("YearOfManufacture").and_then(|year| u16::try_from(year).ok()),
        width_mm: size("MaxHorizontalImageSize").map(|size| size.saturating_mul(10)),
        height_mm: size("MaxVerticalImageSize").map(|size| size.saturating_mul(10)),
        width_px: size("NativeFormatHorizontalPixels").or_else(|| own_size("DisplayWidth")),
        height_px: size("NativeFormatVerticalPixels").or_else(|| own_size("DisplayHeight")),
        built_in: !external,
    })
}

/// `dispext0` of `dispext0,t8103`.
fn connector(entry: &Entry) -> String {
    let name = entry.text("IONameMatched").unwrap_or_default();
    name.split(',').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plist::Value;

    #[test]
    fn a_connector_with_nothing_at_it_is_no_display() {
        let told = |text: &str| {
            let list = Value::read(format!("<plist><array>{text}</array></plist>").as_bytes());
            Entry::read_all(list.unwrap()).iter().filter_map(by_chip).count()
        };
        let attributes =
            "<key>DisplayAttributes</key><dict><key>ProductAttributes</key><dict/></dict>";
        let wide = "<key>DisplayWidth</key><integer>2560</integer>";
        let external = "<key>external</key><true/>";
        assert_eq!(told(&format!("<dict>{attributes}{wide}</dict>")), 1);
        assert_eq!(told(&format!("<dict>{attributes}</dict>")), 0);
        assert_eq!(told(&format!("<dict>{attributes}{wide}{external}</dict>")), 0);
        assert_eq!(told(&format!("<dict>{wide}</dict>")), 0);
    }
}
