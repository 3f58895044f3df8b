/** Choice of model, device and number format. A model is one that is listed, or any hub id or address. */
import type { ComponentChildren } from 'preact';
import { useId, useState } from 'preact/hooks';
import type { EngineChoice } from './engine.js';
import type { ModelList } from './models.js';

export interface ModelFormProps {
  choice: EngineChoice;
  onChoice(choice: EngineChoice): void;
  models: ModelList;
}

const deviceNames = { auto: 'Automatic', webgpu: 'WebGPU', wasm: 'WebAssembly' } as const satisfies Record<
  EngineChoice['device'],
  string
>;
const dtypeNames = {
  auto: 'Automatic',
  f32: '32-bit float',
  f16: '16-bit float',
  q8: '8-bit integer',
} as const satisfies Record<EngineChoice['dtype'], string>;

export function ModelForm({ choice, onChoice, models }: ModelFormProps) {
  return (
    <section class="model-form" aria-labelledby="model-title">
      <h2 id="model-title">Model</h2>
      <ModelField choice={choice} onChoice={onChoice} models={models} />
      <div class="fields">
        <Select
          label="Device"
          names={deviceNames}
          value={choice.device}
          onValue={(device) => onChoice({ ...choice, device })}
        />
        <Select
          label="Weights"
          names={dtypeNames}
          value={choice.dtype}
          onValue={(dtype) => onChoice({ ...choice, dtype })}
        />
      </div>
    </section>
  );
}

const other = '\u0000other';

function ModelField({ choice, onChoice, models }: ModelFormProps) {
  const listed = models.served.includes(choice.model) || models.catalogue.includes(choice.model);
  const id = useId();
  const [typing, setTyping] = useState(false);
  const open = typing || !listed;
  const choose = (value: string) => {
    setTyping(value === other);
    if (value !== other) onChoice({ ...choice, model: value });
  };
  return (
    <>
      <Field label="Name" id={id}>
        <select id={id} value={open ? other : choice.model} onChange={(event) => choose(event.currentTarget.value)}>
          <ModelGroup label="On this server" models={models.served} />
          <ModelGroup label="From the model hub" models={models.catalogue} />
          <option value={other}>Another model …</option>
        </select>
      </Field>
      {open && <OtherModel model={listed ? '' : choice.model} onModel={(model) => onChoice({ ...choice, model })} />}
    </>
  );
}

function ModelGroup({ label, models }: { label: string; models: readonly string[] }) {
  if (models.length === 0) return null;
  return (
    <optgroup label={label}>
      {models.map((model) => (
        <option key={model} value={model}>
          {model}
        </option>
      ))}
    </optgroup>
  );
}

function OtherModel({ model, onModel }: { model: string; onModel(model: string): void }) {
  const id = useId();
  const [text, setText] = useState(model);
  const submit = (event: Event) => {
    event.preventDefault();
    if (text.trim() !== '') onModel(text.trim());
  };
  return (
    <form class="other-model" onSubmit={submit}>
      <Field label="Hub id or address" id={id}>
        <input
          id={id}
          type="text"
          value={text}
          placeholder="owner/name"
          spellcheck={false}
          autocomplete="off"
          autocapitalize="none"
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </Field>
      <button type="submit" class="button" disabled={text.trim() === ''}>
        Load
      </button>
    </form>
  );
}

interface SelectProps<Value extends string> {
  label: string;
  names: Readonly<Record<Value, string>>;
  value: Value;
  onValue(value: Value): void;
}

function Select<Value extends string>({ label, names, value, onValue }: SelectProps<Value>) {
  const id = useId();
  // Object.keys widens to string[]; `names` has exactly the keys of Value.
  const values = Object.keys(names) as Value[];
  const choose = (text: string) => {
    const chosen = values.find((candidate) => candidate === text);
    if (chosen !== undefined) onValue(chosen);
  };
  return (
    <Field label={label} id={id}>
      <select id={id} value={value} onChange={(event) => choose(event.currentTarget.value)}>
        {values.map((candidate) => (
          <option key={candidate} value={candidate}>
            {names[candidate]}
          </option>
        ))}
      </select>
    </Field>
  );
}

interface FieldProps {
  label: string;
  id: string;
  children: ComponentChildren;
}

/** The label stands beside its control instead of around it: around a select, its options would become part of the name. */
function Field({ label, id, children }: FieldProps) {
  return (
    <div class="field">
      <label class="field-name" for={id}>
        {label}
      </label>
      {children}
    </div>
  );
}
