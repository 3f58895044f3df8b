import { Comparison } from './comparison';

export default function Page() {
  return (
    <main>
      <h1>Vecinity with Next</h1>
      <Comparison />
    </main>
  );
}
