-- Tells the inspector of a request as it came: ext_authz itself sorts headers, joins duplicates and replaces bytes above 127.
-- What it makes is read by exchange.py. A line end cannot stand in a name or a value, so it separates them.

local OURS = "x-garrison-"
local TOLD = OURS .. "request"
local STATUS = OURS .. "status"

function envoy_on_request(handle)
  local headers = handle:headers()
  local info = handle:streamInfo()
  local parts = {info:protocol(), info:downstreamRemoteAddress(), FINGERPRINTED and headers:get(OURS .. "ja3") or "",
    FINGERPRINTED and headers:get(OURS .. "ja4") or ""}
  local count = #parts
  local ours = nil
  for name, value in pairs(headers) do
    if string.sub(name, 1, #OURS) == OURS then
      ours = ours or {}
      ours[#ours + 1] = name
    else
      parts[count + 1] = name
      parts[count + 2] = value
      count = count + 2
    end
  end
  if ours then
    for _, name in ipairs(ours) do
      headers:remove(name)
    end
  end
  headers:replace(TOLD, handle:base64Escape(table.concat(parts, "\n")))
end

-- ext_authz takes a status from 500 on for a failure, and 200 for a permission: the inspector's own choice comes in a header.

local AUTHZ = "envoy.filters.http.ext_authz"
local MOST = 65536

-- What the application answers to some requests counts: an inspector marked them. It is told of while the answer goes on.
local function tell(handle, headers, mark)
  local parts = {mark}
  for name, value in pairs(headers) do
    parts[#parts + 1] = name
    parts[#parts + 1] = value
  end
  local told = handle:base64Escape(table.concat(parts, "\n"))
  local pieces, size = {}, 0
  for chunk in handle:bodyChunks() do
    local length = math.min(chunk:length(), MOST - size)
    if length > 0 then
      pieces[#pieces + 1] = chunk:getBytes(0, length)
      size = size + length
    end
  end
  handle:httpCall("inspectors", {[":method"] = "POST", [":path"] = "/answered", [":authority"] = "inspector",
    ["x-garrison-response"] = told}, table.concat(pieces), 2000, true)
end

function envoy_on_response(handle)
  local headers = handle:headers()
  local marked = handle:streamInfo():dynamicMetadata():get(AUTHZ)
  if marked and marked["x-garrison-watch"] then
    return tell(handle, headers, marked["x-garrison-watch"])
  end
  local status = headers:get(STATUS)
  if status then
    headers:replace(":status", status)
    headers:remove(STATUS)
    headers:remove("x-envoy-upstream-service-time")
    for _, name in ipairs({"content-length", "content-type"}) do
      local value = headers:get(OURS .. name)
      if value then
        headers:replace(name, value)
        headers:remove(OURS .. name)
      end
    end
  end
end
