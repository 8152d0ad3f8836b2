-- Argo CD's health of an Agent. Argo CD gives the object as `obj`; it has no string library.
-- A cordoned agent is Healthy: it is as its manifest wants it.
local hs = {status = "Progressing", message = "waits for the operator to look at it"}
local status = obj.status or {}
if status.observedGeneration ~= obj.metadata.generation then
  return hs
end
for _, condition in ipairs(status.conditions or {}) do
  if condition.type == "Ready" then
    hs.message = condition.reason .. ": " .. (condition.message or "")
    if condition.status == "True" then
      hs.status = "Healthy"
    end
  elseif condition.type == "Stalled" and condition.status == "True" then
    hs.status = "Degraded"
  end
end
return hs
