/** A module with all that it imports, as one file for Bun. */
export async function programOf(entry: string): Promise<string> {
  const [built] = (await Bun.build({ entrypoints: [entry], target: "bun" })).outputs;
  if (!built) throw new Error(`${entry} could not be built`);
  return built.text();
}
