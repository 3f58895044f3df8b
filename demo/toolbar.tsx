/** How the map is laid out and coloured, and the ways to take it away. */
import type { ComponentChildren } from 'preact';
import type { ScaleChoice } from './domain.js';
import { CheckIcon, CopyIcon, LinkIcon, SaveIcon } from './icons.js';

export type OrderChoice = 'input' | 'grouped';
export type TakeAway = 'csv' | 'json' | 'png' | 'link';

export interface ToolbarProps {
  order: OrderChoice;
  onOrder(order: OrderChoice): void;
  scale: ScaleChoice;
  onScale(scale: ScaleChoice): void;
  /** What was just taken away, for its tick. */
  done: TakeAway | null;
  onTake(what: TakeAway): void;
}

export function Toolbar({ order, onOrder, scale, onScale, done, onTake }: ToolbarProps) {
  return (
    <div class="toolbar">
      <Segments
        name="Order"
        value={order}
        onValue={onOrder}
        choices={[
          ['input', 'As written'],
          ['grouped', 'Grouped'],
        ]}
      />
      <Segments
        name="Colours"
        value={scale}
        onValue={onScale}
        choices={[
          ['full', '0 to 1'],
          ['fit', 'Fit'],
        ]}
      />
      <fieldset class="take">
        <legend class="visually-hidden">Take the map away</legend>
        <Take what="csv" label="Copy as CSV" done={done} onTake={onTake} icon={<CopyIcon />}>
          CSV
        </Take>
        <Take what="json" label="Copy as JSON" done={done} onTake={onTake} icon={<CopyIcon />}>
          JSON
        </Take>
        <Take what="png" label="Save as PNG" done={done} onTake={onTake} icon={<SaveIcon />}>
          PNG
        </Take>
        <Take what="link" label="Copy a link with these sentences" done={done} onTake={onTake} icon={<LinkIcon />}>
          Link
        </Take>
      </fieldset>
    </div>
  );
}

interface SegmentsProps<Value extends string> {
  name: string;
  value: Value;
  onValue(value: Value): void;
  choices: readonly (readonly [Value, string])[];
}

function Segments<Value extends string>({ name, value, onValue, choices }: SegmentsProps<Value>) {
  return (
    <fieldset class="segments">
      <legend>{name}</legend>
      <div class="segments-row">
        {choices.map(([choice, label]) => (
          <label key={choice} class="segment">
            <input type="radio" name={name} checked={choice === value} onChange={() => onValue(choice)} />
            <span>{label}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

interface TakeProps extends Pick<ToolbarProps, 'done' | 'onTake'> {
  what: TakeAway;
  label: string;
  icon: ComponentChildren;
  children: ComponentChildren;
}

function Take({ what, label, icon, children, done, onTake }: TakeProps) {
  return (
    <button type="button" class="button" aria-label={label} title={label} onClick={() => onTake(what)}>
      {done === what ? <CheckIcon /> : icon}
      <span aria-hidden="true">{children}</span>
    </button>
  );
}
