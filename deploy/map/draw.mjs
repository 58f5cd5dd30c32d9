// The dashboard's map, projected once, so that the page needs no library for it: by ISO 3166-1
// alpha-2 code, a path (small countries have none) and a point, in a box of 960 by 440.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { geoCentroid, geoNaturalEarth1, geoPath } from "d3-geo";
import { feature } from "topojson-client";

const require = createRequire(import.meta.url);
const iso = require("i18n-iso-countries");
const atlas = (name) =>
  JSON.parse(readFileSync(require.resolve(`world-atlas/countries-${name}.json`), "utf8"));
const countries = (topology) => feature(topology, topology.objects.countries).features;

const WIDTH = 960;
const HEIGHT = 440;
const coarse = countries(atlas("110m")).filter((one) => one.id !== "010"); // without Antarctica
const projection = geoNaturalEarth1().fitSize([WIDTH, HEIGHT], {
  type: "FeatureCollection",
  features: coarse,
});
const path = geoPath(projection).digits(1);
const codeOf = (one) => iso.numericToAlpha2(one.id) ?? (one.properties.name === "Kosovo" ? "XK" : null);

const world = {};
for (const one of countries(atlas("50m"))) {
  const code = codeOf(one);
  if (!code || code === "AQ" || code in world) continue;
  // The point of a country is in its largest part: France is not in the Atlantic.
  const parts = one.geometry.type === "MultiPolygon"
    ? one.geometry.coordinates.map((coordinates) => ({ type: "Polygon", coordinates }))
    : [one.geometry];
  const largest = parts.reduce((a, b) => (path.area(a) >= path.area(b) ? a : b));
  const [x, y] = projection(geoCentroid(largest));
  world[code] = { at: [Math.round(x), Math.round(y)] };
}
const elsewhere = []; // land that has no code of its own
for (const one of coarse) {
  const code = codeOf(one);
  if (code && world[code]) world[code].path = path(one);
  else elsewhere.push(path(one));
}
const sorted = Object.fromEntries(Object.keys(world).sort().map((code) => [code, world[code]]));
const target = new URL("../../pipeline/shell/serve/static/world.json", import.meta.url);
writeFileSync(target, `${JSON.stringify({ width: WIDTH, height: HEIGHT, countries: sorted, elsewhere })}\n`);
