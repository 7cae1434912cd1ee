; Set-up of Tillside for Windows: unpacks a version beside those that are there, and lets that version's own Python do
; all the rest (till_installer.windows), which is where what is refused is decided and said.
;
;   TillsideSetup.exe /S [/CONFIG=file] [/ENROLL=file] [/POSORIGIN=https://pos.example[,...]]
;                     [/FRONTOL=folder] [/ACCOUNT=LocalSystem] [/AGAIN=1] [/REPAIR=1]
;   uninstall.exe /S [/PURGE=1] [/DISCARDQUEUE=n] [/CARRYTO=folder]
;
; Exit codes: 0 done; 1 could not be done; 2 not 64 bit Windows 8.1 or later; 3 the files are damaged or others of the
; same version are there; 4 operations wait for the cloud (uninstall); 5 installed, but not enrolled yet.
; What was said is in %ProgramData%\Tillside\logs\setup.log.

Unicode true
Target amd64-unicode
SetCompressor /SOLID lzma
SetCompressorDictSize 64
; The time of a build is none of its contents.
SetDateSave on
Name "Tillside"
OutFile "${OUTPUT}"
InstallDir "$PROGRAMFILES64\Tillside"
RequestExecutionLevel admin
ManifestSupportedOS all
ShowInstDetails show
ShowUninstDetails show
BrandingText "Tillside ${VERSION}"
VIProductVersion "${FILE_VERSION}"
VIAddVersionKey "ProductName" "Tillside"
VIAddVersionKey "ProductVersion" "${VERSION}"
VIAddVersionKey "FileVersion" "${VERSION}"
VIAddVersionKey "FileDescription" "Tillside set-up"
VIAddVersionKey "LegalCopyright" "Tillside contributors"

!include "LogicLib.nsh"
!include "FileFunc.nsh"
!include "WinVer.nsh"
!include "x64.nsh"

; What was typed goes to Python whole, in one string, and NSIS cuts those that have more than 1023 characters.
!define WORDS_LIMIT 640

LoadLanguageFile "${NSISDIR}\Contrib\Language files\English.nlf"
LoadLanguageFile "${NSISDIR}\Contrib\Language files\Russian.nlf"
LangString FAILED ${LANG_ENGLISH} "Tillside could not be installed. What to do stands above and in"
LangString FAILED ${LANG_RUSSIAN} "Tillside не установлен. Что делать, сказано выше и в файле"
LangString NOT_ENROLLED ${LANG_ENGLISH} "Tillside is installed and runs, but this machine is no till yet: see"
LangString NOT_ENROLLED ${LANG_RUSSIAN} "Tillside установлен и работает, но касса ещё не зарегистрирована: см."
LangString SYSTEM ${LANG_ENGLISH} "Tillside needs 64 bit Windows 8.1 or later."
LangString SYSTEM ${LANG_RUSSIAN} "Нужна 64-битная Windows 8.1 или новее."
LangString FILES ${LANG_ENGLISH} "Other files of version ${VERSION} are installed. Uninstall first (the data stays), or use /REPAIR=1."
LangString FILES ${LANG_RUSSIAN} "Установлены другие файлы версии ${VERSION}. Сначала удалите программу (данные останутся) или укажите /REPAIR=1."
LangString WORDS ${LANG_ENGLISH} "Expected at most ${WORDS_LIMIT} characters after the name of this program."
LangString WORDS ${LANG_RUSSIAN} "После имени программы может стоять не более ${WORDS_LIMIT} знаков."
LangString KEPT ${LANG_ENGLISH} "Nothing was removed. Why stands above and in"
LangString KEPT ${LANG_RUSSIAN} "Ничего не удалено. Почему, сказано выше и в файле"

Page instfiles
UninstPage uninstConfirm
UninstPage instfiles

!define ENTRY "Software\Microsoft\Windows\CurrentVersion\Uninstall\Tillside"
; In the folder that holds what a version is made of: beside it, it would be a file too many.
!define MARK "bundle\whole-${DIGEST}"

Var Data
Var Runs
Var Rests

Function .onInit
  SetRegView 64
  SetShellVarContext all
  ${IfNot} ${RunningX64}
  ${OrIfNot} ${AtLeastWin7}
    MessageBox MB_ICONSTOP "$(SYSTEM)" /SD IDOK
    SetErrorLevel 2
    Quit
  ${EndIf}
  ReadEnvStr $Data "ProgramData"
  StrCpy $Data "$Data\Tillside"
FunctionEnd

Section
  SetRegView 64
  SetShellVarContext all
  ${GetParameters} $R0
  StrLen $R1 $R0
  ${If} $R1 > ${WORDS_LIMIT}
    MessageBox MB_ICONSTOP "$(WORDS)" /SD IDOK
    SetErrorLevel 1
    Quit
  ${EndIf}
  ClearErrors
  ${GetOptions} $R0 "/REPAIR=" $R2
  StrCpy $R3 "$INSTDIR\versions\${VERSION}"

  ${If} ${FileExists} "$R3\${MARK}"
  ${AndIf} $R2 != "1"
    DetailPrint "${VERSION}: ok"
  ${Else}
    ${If} ${FileExists} "$R3\bundle\whole-*"
    ${AndIf} $R2 != "1"
      DetailPrint "$(FILES)"
      MessageBox MB_ICONSTOP "$(FILES)" /SD IDOK
      SetErrorLevel 3
      Quit
    ${EndIf}
    ; Files of a version that runs are not let go of. Those of another one are nobody's yet: the agent sells on, and the
    ; version is rehearsed and watched beside it as in every upgrade.
    ClearErrors
    FileOpen $R4 "$INSTDIR\current" r
    ${IfNot} ${Errors}
      FileRead $R4 $Runs
      FileClose $R4
    ${EndIf}
    ${If} $Runs == "${VERSION}"
    ${AndIf} ${FileExists} "$INSTDIR\nssm.exe"
      nsExec::ExecToLog '"$INSTDIR\nssm.exe" stop tillside'
      Pop $0
      StrCpy $Rests "1"
    ${EndIf}
    Delete "$R3\bundle\whole-*"
    SetOutPath "$R3"
    SetOverwrite on
    ClearErrors
    File /r "${SOURCE}/*.*"
    ${If} ${Errors}
      ${If} $Rests == "1"
        nsExec::ExecToLog '"$INSTDIR\nssm.exe" start tillside'
        Pop $0
      ${EndIf}
      MessageBox MB_ICONSTOP "$(FAILED) $R3" /SD IDOK
      SetErrorLevel 1
      Quit
    ${EndIf}
  ${EndIf}

  SetOutPath "$INSTDIR"
  WriteUninstaller "$INSTDIR\uninstall.exe"
  nsExec::ExecToLog '"$R3\python.exe" -P -m till_installer.windows install --version "${VERSION}" --programs "$INSTDIR" --data "$Data" --mark "${MARK}" --folder "$EXEDIR" -- $R0'
  Pop $0
  ${If} $0 != 0
  ${AndIf} $0 != 5
    ${IfNot} ${FileExists} "$INSTDIR\current"
      ; A first installation that failed leaves nothing behind but its log.
      SetOutPath "$TEMP"
      RMDir /r "$INSTDIR"
    ${EndIf}
    ${If} $Rests == "1"
      ; It was stopped for its files. A till that is refused its repair sells on.
      nsExec::ExecToLog '"$INSTDIR\nssm.exe" start tillside'
      Pop $R4
    ${EndIf}
    MessageBox MB_ICONSTOP "$(FAILED) $Data\logs\setup.log" /SD IDOK
    ${If} $0 == "error"
    ${OrIf} $0 == "timeout"
      StrCpy $0 1
    ${EndIf}
    SetErrorLevel $0
    Quit
  ${EndIf}

  WriteRegStr HKLM "${ENTRY}" "DisplayName" "Tillside"
  WriteRegStr HKLM "${ENTRY}" "DisplayVersion" "${VERSION}"
  WriteRegStr HKLM "${ENTRY}" "Publisher" "Tillside"
  WriteRegStr HKLM "${ENTRY}" "InstallLocation" "$INSTDIR"
  WriteRegStr HKLM "${ENTRY}" "UninstallString" '"$INSTDIR\uninstall.exe"'
  WriteRegStr HKLM "${ENTRY}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /S'
  WriteRegDWORD HKLM "${ENTRY}" "NoModify" 1
  WriteRegDWORD HKLM "${ENTRY}" "NoRepair" 1
  WriteRegDWORD HKLM "${ENTRY}" "EstimatedSize" ${SIZE_KB}
  ${If} $0 == 5
    MessageBox MB_ICONEXCLAMATION "$(NOT_ENROLLED) $Data\logs\setup.log" /SD IDOK
  ${EndIf}
  SetErrorLevel $0
SectionEnd

Function un.onInit
  SetRegView 64
  SetShellVarContext all
  ReadEnvStr $Data "ProgramData"
  StrCpy $Data "$Data\Tillside"
FunctionEnd

Section "Uninstall"
  SetRegView 64
  ${GetParameters} $R0
  nsExec::ExecToLog '"$INSTDIR\starter\python.exe" "$INSTDIR\starter\start.py" --windows uninstall --programs "$INSTDIR" --data "$Data" -- $R0'
  Pop $0
  ${If} $0 == 72
  ${OrIf} $0 == "error"
    ; No version is left that could do it: the service goes, and data is not touched.
    nsExec::ExecToLog '"$INSTDIR\nssm.exe" stop tillside'
    Pop $1
    nsExec::ExecToLog '"$INSTDIR\nssm.exe" remove tillside confirm'
    Pop $1
    StrCpy $0 0
  ${EndIf}
  ${If} $0 != 0
    MessageBox MB_ICONSTOP "$(KEPT) $Data\logs\setup.log" /SD IDOK
    ${If} $0 == "timeout"
      StrCpy $0 1
    ${EndIf}
    SetErrorLevel $0
    Quit
  ${EndIf}
  DeleteRegKey HKLM "${ENTRY}"
  SetOutPath "$TEMP"
  RMDir /r "$INSTDIR"
  SetErrorLevel 0
SectionEnd
