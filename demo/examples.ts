/** Sentences to begin with, one click each. */

export interface Example {
  name: string;
  /** A remark that is shown while the example is in the editor. */
  note: string | null;
  sentences: readonly string[];
}

export const examples: readonly Example[] = [
  {
    name: 'Four sentences, two pairs',
    note: null,
    sentences: [
      'The cat is sleeping on the sofa.',
      'Interest rates rose again this spring.',
      'A kitten naps on the couch.',
      'The central bank made borrowing more expensive.',
    ],
  },
  {
    name: 'Questions and answers',
    note: null,
    sentences: [
      'How long does it take to boil an egg?',
      'Why is the sky blue?',
      'How do I reset my password?',
      'When was the printing press invented?',
      'Open the settings, choose Account, and ask for a new one by e-mail.',
      'Air scatters short wavelengths of sunlight more than long ones.',
      'Six minutes for a soft yolk, ten for a firm one.',
      'Gutenberg printed with movable type around 1450.',
    ],
  },
  {
    name: 'Multilingual',
    note: 'Made for a model that knows many languages, such as multilingual-e5-small. An English one mostly sees alphabets.',
    sentences: [
      'The train to Paris leaves at eight.',
      'Der Zug nach Paris fährt um acht Uhr ab.',
      'Le train pour Paris part à huit heures.',
      'パリ行きの列車は八時に出発します。',
      'I would like a bowl of soup, please.',
      'Ich hätte gerne eine Schüssel Suppe.',
      'Quisiera un plato de sopa, por favor.',
      '请给我一碗汤。',
    ],
  },
  {
    name: 'Code and prose',
    note: null,
    sentences: [
      'Sort the list from the largest number to the smallest.',
      'numbers.sort((a, b) => b - a)',
      'Read a file line by line.',
      'for await (const line of readline(file)) { … }',
      'Stop the request after five seconds.',
      'fetch(url, { signal: AbortSignal.timeout(5000) })',
      'Remove repeated values.',
      '[...new Set(values)]',
    ],
  },
  {
    name: 'Twenty headlines',
    note: 'Five subjects, mixed. Choose “Grouped” to see them gather.',
    sentences: [
      'Parliament passes the new budget after a night of debate',
      'Striker scores twice as the hosts reach the final',
      'Astronomers find water vapour around a distant planet',
      'Chipmaker shares fall on weak sales forecast',
      'Museum returns bronze statues to their country of origin',
      'Opposition calls for early elections',
      'Telescope sends back its sharpest image of a young galaxy',
      'Marathon record broken by eleven seconds',
      'Central bank holds interest rates for a third month',
      'Orchestra names its first woman as chief conductor',
      'Minister resigns over housing figures',
      'Goalkeeper signs a four-year contract',
      'Probe lands on the far side of the moon',
      'Retailer to close forty shops and move online',
      'Lost sketch by a Renaissance master found in an attic',
      'Senate committee opens inquiry into party donations',
      'Tennis champion withdraws with a knee injury',
      'Solar storm lights up skies across the north',
      'Oil price climbs as producers cut output',
      'Novel about a lighthouse keeper wins the book prize',
    ],
  },
];

/** What a first visit shows. */
export const firstExample = examples[0]?.sentences.join('\n') ?? '';

/** The example that the editor holds unchanged, or null. */
export function exampleOf(text: string): Example | null {
  return examples.find((example) => example.sentences.join('\n') === text.trim()) ?? null;
}
