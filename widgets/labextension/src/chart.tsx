// Curves as SVG: a colour per run; training solid, validation dashed.
import React from 'react';

const COLOURS = [
  '--jp-brand-color1',
  '--jp-warn-color1',
  '--jp-success-color1',
  '--jp-error-color1',
  '--jp-info-color1',
  '--jp-mirror-editor-operator-color',
  '--jp-ui-font-color1',
  '--jp-ui-font-color2'
];
/** More cannot be told apart. */
export const MOST_RUNS = COLOURS.length;
const WIDTH = 560;
const HEIGHT = 220;
const LEFT = 64;
const BOTTOM = 24;
const TOP = 8;

export interface Series {
  name: string;
  points: [number, number][];
  /** Its run's place. */
  run: number;
  isValidation: boolean;
}

/** A small curve without axes, for a row of a list. */
export function Sparkline({ values, label }: { values: number[]; label: string }): JSX.Element | null {
  if (values.length < 2) {
    return null;
  }
  const at = placing(values, [22, 2]);
  const points = values.map((value, place) => `${(place / (values.length - 1)) * 78 + 1},${at(value)}`);
  return (
    <svg className="kerasllm-sparkline" viewBox="0 0 80 24" role="img" aria-label={label}>
      <polyline points={points.join(' ')} />
    </svg>
  );
}

export function Chart({ title, axis, series }: { title: string; axis: string; series: Series[] }): JSX.Element | null {
  const drawn = series.filter(one => one.points.length > 0);
  if (drawn.length === 0) {
    return null;
  }
  const all = drawn.flatMap(one => one.points);
  const [xs, ys] = [all.map(point => point[0]), all.map(point => point[1])];
  const x = placing(xs, [LEFT, WIDTH - 8]);
  const y = placing(ys, [HEIGHT - BOTTOM, TOP]);
  const told = drawn.map(one => `${one.name}: ${short(one.points[0][1])} → ${short(one.points[one.points.length - 1][1])}`);
  return (
    <figure className="kerasllm-chart">
      <figcaption>{title}</figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`${title}. ${told.join('; ')}`}>
        <path className="kerasllm-axis" d={`M${LEFT} ${TOP}V${HEIGHT - BOTTOM}H${WIDTH - 8}`} />
        {[lowest(ys), highest(ys)].map((value, place) => (
          <text key={place} x={LEFT - 6} y={y(value) + 4} textAnchor="end">
            {short(value)}
          </text>
        ))}
        <text x={LEFT} y={HEIGHT - 6}>
          {short(lowest(xs))}
        </text>
        <text x={WIDTH - 8} y={HEIGHT - 6} textAnchor="end">
          {`${axis} ${short(highest(xs))}`}
        </text>
        {drawn.map(one => (
          <g key={one.name} style={line(one)}>
            <polyline points={one.points.map(([a, b]) => `${x(a)},${y(b)}`).join(' ')} />
            {one.points.length === 1 && <circle cx={x(one.points[0][0])} cy={y(one.points[0][1])} r="3" />}
          </g>
        ))}
      </svg>
      <ul className="kerasllm-legend">
        {drawn.map(one => (
          <li key={one.name}>
            <svg viewBox="0 0 28 8" style={line(one)} aria-hidden="true">
              <path d="M0 4H28" />
            </svg>
            {one.name}
          </li>
        ))}
      </ul>
    </figure>
  );
}

/** A number in few digits. */
export function short(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}

function line({ run, isValidation }: Series): React.CSSProperties {
  return { stroke: `var(${COLOURS[run % COLOURS.length]})`, strokeDasharray: isValidation ? '6 3' : '' };
}

function placing(values: number[], [from, to]: [number, number]): (value: number) => number {
  const [low, high] = [lowest(values), highest(values)];
  return value => (high > low ? from + ((value - low) / (high - low)) * (to - from) : (from + to) / 2);
}

// Not Math.min(...values): a long curve has more points than a call takes arguments.
const lowest = (values: number[]): number => values.reduce((one, other) => Math.min(one, other));
const highest = (values: number[]): number => values.reduce((one, other) => Math.max(one, other));
