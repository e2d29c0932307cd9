// Curves: the views' own chart, and a small one for a row of a list.
import React from 'react';

import { chart } from '../../kerasllm_widgets/static/chart.js';

/** It has so many styles of a line: more cannot be told apart. */
export const MOST_RUNS = 8;

export interface Line {
  name: string;
  x: number[];
  y: number[];
  /** 0 … 7: colour and dashes. */
  style: number;
}

export function Chart({ title, axis, lines }: { title: string; axis: string; lines: Line[] }): JSX.Element {
  const place = React.useRef<HTMLDivElement>(null);
  const drawn = React.useRef<ReturnType<typeof chart>>();
  React.useEffect(() => {
    drawn.current = chart(title, axis);
    place.current?.replaceChildren(drawn.current.element);
  }, [title, axis]);
  React.useEffect(() => drawn.current?.draw(lines), [title, axis, lines]);
  return <div ref={place} />;
}

/** A small curve without axes, for a row of a list. */
export function Sparkline({ values, label }: { values: number[]; label: string }): JSX.Element | null {
  if (values.length < 2) {
    return null;
  }
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const y = (value: number) => (high > low ? 22 - (20 * (value - low)) / (high - low) : 12);
  const points = values.map((value, place) => `${(place / (values.length - 1)) * 78 + 1},${y(value)}`);
  return (
    <svg className="kerasllm-sparkline" viewBox="0 0 80 24" role="img" aria-label={label}>
      <polyline points={points.join(' ')} />
    </svg>
  );
}
