/** Files and data sets: what there is, more of it, and one of them. */

import { answered, client } from "../../api/client";
import { useAsked } from "../../api/useAsked";
import { Trouble } from "../../parts/Trouble";
import { useWords } from "../../words";
import type { Shows } from "..";
import { DataTable } from "./DataTable";
import { OneDataset } from "./OneDataset";
import { Samples } from "./Samples";
import { Upload } from "./Upload";

export function Data({ route }: Shows) {
  const words = useWords();
  const sets = useAsked((signal) => answered(client.GET("/v1/datasets", { signal })), "datasets", () => 6000);
  if (route.part) return <OneDataset key={route.part} name={route.part} again={sets.again} />;
  return (
    <>
      <h1>{words.say("screen.data")}</h1>
      <p className="lead">{words.say("data.lead")}</p>
      <Upload names={sets.data?.data.map((one) => one.name) ?? []} done={sets.again} />
      <Trouble fault={sets.fault} again={sets.again} />
      {sets.data && <DataTable sets={sets.data.data} />}
      <Samples taken={sets.again} />
    </>
  );
}
