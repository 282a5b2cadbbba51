//! What a clear sky gives to a roof: the model of ASHRAE, as G. M. Masters writes it in "Renewable and
//! Efficient Electric Power Systems" (Wiley 2004), chapter 7, equations 7.6 to 7.30 and 7.21 to 7.24.
//!
//! Knows astronomy and roofs; does not know clouds, horizons, or markets. Floats stand here and nowhere else in
//! the client: what leaves this module is whole Wh, rounded down.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The moments of a quarter hour at which the sun is looked at, in seconds from its beginning.
const MOMENTS: [i64; 3] = [150, 450, 750];
const SLOT_SECONDS: i64 = 900;
/// What the ground before the roof reflects of the light: grass, or old concrete.
const REFLECTED: f64 = 0.2;

/// A roof with PV.
#[derive(Clone, Copy, Debug)]
pub struct Roof {
    /// In degrees north.
    pub latitude: f64,
    /// In degrees east.
    pub longitude: f64,
    /// The panels' slope in degrees: 0 is flat.
    pub tilt: f64,
    /// Where they look, in degrees from north over east.
    pub azimuth: f64,
    /// Their peak power, under 1,000 W/m².
    pub peak_w: u64,
    /// What is left of it in the grid, in per cent.
    pub performance_percent: u32,
}

/// The light on a square metre of the panels, in W/m².
#[derive(Clone, Copy, Debug, Default)]
struct Light {
    beam: f64,
    diffuse: f64,
    reflected: f64,
}

impl Roof {
    /// Returns what the roof feeds in under a clear sky in a slot, in Wh; none beyond the year 9999.
    pub fn energy_wh(&self, slot: u32) -> Option<u64> {
        let begin = i64::from(slot) * SLOT_SECONDS;
        let mut light = 0.0;
        for second in MOMENTS {
            let (day, hour) = solar_time(begin + second, self.longitude)?;
            let Light { beam, diffuse, reflected } = self.light(day, hour);
            light += (beam + diffuse + reflected) / 3.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "no roof has 2^53 W")]
        let peak = self.peak_w as f64;
        let energy = peak * light / 1_000.0 * f64::from(self.performance_percent) / 100.0 / 4.0;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "light is not negative, and what is too much for a roof is cut by the market"
        )]
        let energy = energy.floor() as u64;
        Some(energy)
    }

    /// Returns the light on the panels on a day of the year, at an hour of solar time.
    fn light(&self, day: f64, hour: f64) -> Light {
        let season = |first: f64| (360.0 / 365.0 * (day - first)).to_radians().sin();
        let declination = (23.45 * season(81.0)).to_radians();
        // Before noon the hour angle is positive, and the sun in the east.
        let hour_angle = (15.0 * (12.0 - hour)).to_radians();
        let latitude = self.latitude.to_radians();
        let sun = [
            declination.cos() * hour_angle.sin(),
            declination.sin() * latitude.cos() - declination.cos() * latitude.sin() * hour_angle.cos(),
            declination.sin() * latitude.sin() + declination.cos() * latitude.cos() * hour_angle.cos(),
        ];
        let height = sun[2];
        if height <= 0.0 {
            return Light::default();
        }
        let (tilt, azimuth) = (self.tilt.to_radians(), self.azimuth.to_radians());
        let panel = [tilt.sin() * azimuth.sin(), tilt.sin() * azimuth.cos(), tilt.cos()];
        let incidence: f64 = sun.iter().zip(panel).map(|(sun, panel)| sun * panel).sum();

        let extraterrestrial = 1_160.0 + 75.0 * season(275.0);
        let depth = 0.174 + 0.035 * season(100.0);
        let scattered = 0.095 + 0.04 * season(100.0);
        let air_mass = ((708.0 * height).powi(2) + 1_417.0).sqrt() - 708.0 * height;
        let beam = extraterrestrial * (-depth * air_mass).exp();
        Light {
            beam: beam * incidence.max(0.0),
            diffuse: beam * scattered * f64::midpoint(1.0, tilt.cos()),
            reflected: beam * REFLECTED * (height + scattered) * (1.0 - tilt.cos()) / 2.0,
        }
    }
}

/// Returns the day of the year and the hour of solar time at a second since 1970.
fn solar_time(second: i64, longitude: f64) -> Option<(f64, f64)> {
    let utc = TimeZone::UTC.to_datetime(Timestamp::from_second(second).ok()?);
    let day = f64::from(utc.day_of_year());
    let turn = (360.0 / 364.0 * (day - 81.0)).to_radians();
    let equation_minutes = 9.87 * (2.0 * turn).sin() - 7.53 * turn.cos() - 1.5 * turn.sin();
    let hour = f64::from(utc.hour()) + f64::from(utc.minute()) / 60.0 + f64::from(utc.second()) / 3_600.0;
    Some((day, hour + longitude / 15.0 + equation_minutes / 60.0))
}

/// Returns a latitude.
pub fn latitude(text: &str) -> Result<f64, String> {
    degrees(text, -90.0, 90.0)
}

/// Returns a longitude.
pub fn longitude(text: &str) -> Result<f64, String> {
    degrees(text, -180.0, 180.0)
}

/// Returns a slope.
pub fn tilt(text: &str) -> Result<f64, String> {
    degrees(text, 0.0, 90.0)
}

/// Returns a direction.
pub fn azimuth(text: &str) -> Result<f64, String> {
    degrees(text, 0.0, 360.0)
}

fn degrees(text: &str, least: f64, most: f64) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(degrees) if (least..=most).contains(&degrees) => Ok(degrees),
        _ => Err(format!("it is a number of degrees between {least} and {most}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roof(tilt: f64, azimuth: f64) -> Roof {
        Roof { latitude: 33.7, longitude: -84.4, tilt, azimuth, peak_w: 8_000, performance_percent: 80 }
    }

    /// Masters' examples 7.8 to 7.11: Atlanta, solar noon on 21 May, panels 52° steep, 20° to the east of south.
    #[test]
    fn the_model_gives_what_its_book_says() {
        let light = roof(52.0, 160.0).light(141.0, 12.0);
        for (found, said) in [(light.beam, 697.0), (light.diffuse, 88.0), (light.reflected, 38.0)] {
            assert!((found - said).abs() < 1.0, "{light:?}");
        }
        // Flat panels under the same sun: the beam of 902 W/m² from a height of 76.4°.
        let flat = roof(0.0, 180.0).light(141.0, 12.0);
        assert!((flat.beam - 902.0 * 76.4_f64.to_radians().sin()).abs() < 2.0, "{flat:?}");
        assert!(flat.reflected.abs() < 1e-9);
    }

    #[test]
    fn the_sun_rises_in_the_east_and_does_not_shine_at_night() {
        let [east, west] = [90.0, 270.0].map(|azimuth| roof(60.0, azimuth));
        let sum = |roof: Roof, hour| {
            let light = roof.light(172.0, hour);
            light.beam + light.diffuse + light.reflected
        };
        assert!(sum(east, 8.0) > 2.0 * sum(west, 8.0));
        assert!((sum(east, 8.0) - sum(west, 16.0)).abs() < 1e-6);
        assert!(sum(east, 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_day_in_shanghai_gives_most_at_noon_and_less_than_the_peak() {
        let roof = Roof { latitude: 31.2, longitude: 121.5, ..roof(25.0, 180.0) };
        // 2026-06-01 in Shanghai, from midnight to midnight.
        let day: Vec<u64> = (1_978_048..1_978_144).map(|slot| roof.energy_wh(slot).unwrap()).collect();
        let most = day.iter().copied().max().unwrap();
        let at = day.iter().position(|energy| *energy == most).unwrap();
        assert!((46..=49).contains(&at), "{at}");
        assert!(most <= 8_000 / 4 * 80 / 100 + 100 && most > 1_200, "{most}");
        assert!(day[..18].iter().all(|energy| *energy == 0), "{day:?}");
        let kwh = day.iter().sum::<u64>() / 1_000;
        assert!((40..=60).contains(&kwh), "{kwh}");
    }

    #[test]
    fn degrees_have_their_bounds() {
        assert!(latitude("31.2").is_ok() && longitude("-180").is_ok());
        for bad in [latitude("91"), longitude("x"), tilt("-1"), azimuth("361"), azimuth("NaN")] {
            assert!(bad.unwrap_err().contains("degrees between"));
        }
    }
}
