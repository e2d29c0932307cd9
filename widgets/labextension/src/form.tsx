// A form drawn by Lab's own renderer from JSON schema, in a dialog; advanced parameters are folded.
import { Dialog, ReactWidget, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { FormComponent } from '@jupyterlab/ui-components';
import { PromiseDelegate } from '@lumino/coreutils';
import type { IChangeEvent } from '@rjsf/core';
import type { ErrorSchema, RJSFSchema, RJSFValidationError, ValidatorType } from '@rjsf/utils';
import React from 'react';

type Value = boolean | number | string | undefined;
export type Values = Record<string, Value>;

interface Property extends RJSFSchema {
  default?: Value;
  group: string;
  advanced: boolean;
}

export interface Form {
  recipe: string;
  schema: { properties: Record<string, Property>; groups: { name: string; title: string }[] };
  /** What it is filled with at first, beside the defaults. */
  values: Values;
}

/** Let a person fill a form; `send` may refuse by an error, and the form is shown again. Null: cancelled. */
export async function fill<T>(
  form: Form,
  title: string,
  send: (values: Values) => Promise<T>,
  reason: (error: unknown) => string,
  trans: TranslationBundle
): Promise<T | null> {
  const { properties } = form.schema;
  let [values, refusal, refused] = [form.values, '', ''];
  for (;;) {
    const body = new Body(form, values, refusal, refused, trans);
    await body.drawn.promise; // the Tab key goes round what is in a dialog as it opens
    const { button, value } = await showDialog({
      title,
      body,
      focusNodeSelector: refused ? `[id="${prefix(properties[refused])}_${refused}"]` : 'input, select',
      buttons: [
        Dialog.cancelButton({ label: trans.__('Cancel') }),
        Dialog.okButton({ label: trans.__('Run in the background') })
      ]
    });
    if (!button.accept) {
      return null;
    }
    values = value ?? {};
    const wrong = (name: string) =>
      problem(properties[name], name in values ? values[name] : properties[name].default, trans);
    refused = Object.keys(properties).find(wrong) ?? '';
    try {
      if (!refused) {
        return await send(values);
      }
      refusal = trans.__('%1: %2', refused, wrong(refused));
    } catch (error) {
      refusal = reason(error);
      const named = /^(\S+?)[:：]/.exec(refusal)?.[1] ?? ''; // as the server tells of a parameter
      refused = Object.hasOwn(properties, named) ? named : '';
    }
  }
}

/** Answers with what differs from the defaults. */
class Body extends ReactWidget implements Dialog.IBodyWidget<Values> {
  constructor(
    private readonly form: Form,
    private values: Values,
    private readonly refusal: string,
    private readonly refused: string,
    private readonly trans: TranslationBundle
  ) {
    super();
    this.addClass('kerasllm-form');
    this.update();
  }

  readonly drawn = new PromiseDelegate<void>();

  getValue(): Values {
    return this.values;
  }

  render(): JSX.Element {
    const { form, refusal, refused, trans } = this;
    return (
      <>
        {refusal && <p className="kerasllm-message" role="alert">{refusal}</p>}
        <Fields form={form} start={this.values} refused={refused} trans={trans}
          onDrawn={() => this.drawn.resolve()} onChange={values => (this.values = values)} />
      </>
    );
  }
}

interface FieldsProps {
  form: Form;
  start: Values;
  /** The parameter that was refused, or "". */
  refused: string;
  trans: TranslationBundle;
  onDrawn: () => void;
  onChange: (values: Values) => void;
}

function Fields({ form, start, refused, trans, onDrawn, onChange }: FieldsProps): JSX.Element {
  const [values, setValues] = React.useState(start);
  const validator = React.useMemo(() => checking(trans), [trans]);
  const place = React.useRef<HTMLDivElement>(null);
  React.useEffect(onDrawn, []);
  React.useEffect(() => {
    for (const input of place.current?.querySelectorAll('input, select') ?? []) {
      // Lab's template shows the names, but not as labels of their inputs.
      input.setAttribute('aria-label', input.id.slice(input.id.indexOf('_') + 1));
    }
    for (const input of place.current?.querySelectorAll<HTMLInputElement>('input[type=number]') ?? []) {
      // A browser counts steps of 1 from what stood there when the field was left: after 2.5 it takes no 3.
      input.step = 'any';
    }
  });
  const { properties, groups } = form.schema;
  const change = (event: IChangeEvent) => {
    const changed: Values = { ...values, ...(event.formData as Values) };
    for (const name of Object.keys(changed)) {
      if (changed[name] === undefined && typeof properties[name]?.default === 'string') {
        changed[name] = ''; // undefined is the renderer's word for an emptied text
      }
      if (changed[name] === properties[name]?.default) {
        delete changed[name];
      }
    }
    setValues(changed);
    onChange(changed);
  };
  const part = (group: string, isAdvanced: boolean) => {
    const own = Object.entries(properties).filter(([, one]) => one.group === group && one.advanced === isAdvanced);
    if (own.length === 0) {
      return null;
    }
    const data = Object.fromEntries(own.map(([name, one]) => [name, name in values ? values[name] : one.default]));
    return (
      <FormComponent
        schema={{ type: 'object', properties: Object.fromEntries(own) }}
        formData={data as never}
        formContext={{ defaultFormData: {} }}
        validator={validator}
        onChange={change}
        idPrefix={prefix(own[0][1])}
        tagName="div"
        liveValidate
        showErrorList={false}
        compact
        showModifiedFromDefault={false}
      />
    );
  };
  return (
    <div ref={place}>
      {groups.map(({ name, title }) => {
        const [usual, advanced] = [part(name, false), part(name, true)];
        // As it opens, what was changed or refused is in sight; from then on the person folds it.
        const isOpen = [...Object.keys(start), refused].some(
          one => properties[one]?.group === name && properties[one].advanced
        );
        return (
          (usual || advanced) && (
            <fieldset key={name}>
              <legend>{title}</legend>
              {usual}
              {advanced && (
                <details open={isOpen}>
                  <summary>{trans.__('Advanced')}</summary>
                  {advanced}
                </details>
              )}
            </fieldset>
          )
        );
      })}
    </div>
  );
}

/** What the id of a parameter's input begins with. */
function prefix({ group, advanced }: Property): string {
  return `kerasllm-${group}-${advanced}`;
}

/** What is wrong with a value, or "". The server checks again: this only tells it earlier. */
function problem(schema: RJSFSchema, value: Value, trans: TranslationBundle): string {
  if (value === undefined && schema.default === undefined) {
    return ''; // a computed default: the notebook's code has it
  }
  if (schema.type === 'integer' || schema.type === 'number') {
    if (typeof value !== 'number') {
      return trans.__('needs a number');
    }
    if (schema.type === 'integer' && !Number.isInteger(value)) {
      return trans.__('needs a whole number');
    }
    const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema;
    if (minimum !== undefined && value < minimum) {
      return trans.__('at least %1', minimum);
    }
    if (exclusiveMinimum !== undefined && value <= exclusiveMinimum) {
      return trans.__('greater than %1', exclusiveMinimum);
    }
    if (maximum !== undefined && value > maximum) {
      return trans.__('at most %1', maximum);
    }
    if (exclusiveMaximum !== undefined && value >= exclusiveMaximum) {
      return trans.__('less than %1', exclusiveMaximum);
    }
  }
  return '';
}

/** The renderer wants a validator; Lab shares none, and flat properties with bounds need no more than this. */
function checking(trans: TranslationBundle): ValidatorType {
  return {
    validateFormData: (data: Values | undefined, schema: RJSFSchema) => {
      const errors: RJSFValidationError[] = [];
      const errorSchema: Record<string, ErrorSchema> = {};
      for (const [name, property] of Object.entries(schema.properties ?? {})) {
        const found = problem(property as RJSFSchema, data?.[name], trans);
        if (found) {
          errors.push({ property: `.${name}`, message: found, stack: `${name}: ${found}` });
          errorSchema[name] = { __errors: [found] } as ErrorSchema;
        }
      }
      return { errors, errorSchema: errorSchema as ErrorSchema };
    },
    toErrorList: () => [],
    isValid: () => true,
    rawValidation: () => ({})
  };
}
